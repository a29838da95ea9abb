"""The wide domain: patients and views far beyond the means of adults, for networks that must work elsewhere.

Every function takes what the standard domain draws and moves it away from there.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from cervseg.phantom.anatomy import Anatomy, disc_height_mm, stack_vertebrae
from cervseg.phantom.capture import Capture, draw_capture
from cervseg.phantom.decoration import draw_decorations
from cervseg.phantom.density import Densities, draw_densities
from cervseg.phantom.detector import Exposure
from cervseg.phantom.process import draw_process_shape
from cervseg.phantom.skull import AtlasArch
from cervseg.phantom.solid import Pose, Solid
from cervseg.phantom.vertebra import Vertebra
from cervseg.phantom.view import View

_SIZES = ("body_width", "body_height", "canal", "length", "base", "tip")
# Means of the wide domain that differ from the standard: length and height of the process relative to the
# standard, and degrees added to its slope. Processes of C6 and C7 are slender; that of C2 hangs over C3's.
_LEVEL_MEANS = {
    "": (1.0, 0.93, 0.0),
    "C2": (1.0, 1.0, 6.0),
    "C3": (0.97, 0.93, -5.0),
    "C6": (1.03, 0.82, 0.0),
    "C7": (1.08, 0.74, 0.0),
    "T1": (1.0, 0.78, 0.0),
    "T2": (1.0, 0.8, 0.0),
}


@dataclass(frozen=True, kw_only=True)
class WideScene:
    """All that determines an image of the wide domain but the noise.

    Args:
        anatomy: the patient.
        parts: name -> solids of the patient, see :meth:`~cervseg.phantom.anatomy.Anatomy.parts`.
        densities: attenuation of every group of solids.
        objects: solids that are no part of the patient, in mm.
        view: image size, scale and position of the patient.
        streaks: contrast of muscle and fat, relative to the standard domain.
        exposure: parameters of acquisition and display.
        capture: collimation, texts and storage.
    """

    anatomy: Anatomy
    parts: dict[str, list[Solid]]
    densities: Densities
    objects: tuple[Solid, ...]
    view: View
    streaks: float
    exposure: Exposure
    capture: Capture

    def solids(self) -> list[Solid]:
        """List every solid that the beam crosses."""
        return [*self.densities.apply(self.parts), *self.objects]

    def bodies_px(self) -> list[np.ndarray]:
        """Compute the outlines (x, y) of the vertebral bodies in px, each N x 2 float64."""
        matrix = self.view.mm_to_px()
        outlines = [self.parts[f"{v.level} body"][0].outline_mm for v in self.anatomy.vertebrae]
        return [outline @ matrix[:, :2].T + matrix[:, 2] for outline in outlines]


def widen(
    anatomy: Anatomy, view: View, exposure: Exposure, *, rng: np.random.Generator, facing: str | None
) -> WideScene:
    """Draw an image of the wide domain around a patient of the standard domain.

    Args:
        anatomy: the patient.
        view: a view; its long side stays.
        exposure: an exposure.
        rng: random generator; all that is added comes from it.
        facing: "left", "right", or None to draw it.
    """
    wide = widen_anatomy(anatomy, rng)
    parts = wide.parts()
    return WideScene(
        anatomy=wide,
        parts=parts,
        densities=draw_densities(rng, parts),
        objects=tuple(draw_decorations(wide, rng)),
        view=widen_view(view, rng, facing=facing),
        streaks=float(np.exp(rng.normal(0.2, 0.6))),
        exposure=widen_exposure(exposure, rng),
        capture=draw_capture(rng),
    )


def widen_anatomy(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """Vary sizes, shapes and posture of a patient.

    Args:
        anatomy: a patient of the standard domain.
        rng: random generator.
    """
    child = bool(rng.random() < 0.1)
    vertebrae = _resize(list(anatomy.vertebrae), rng, child=child)
    vertebrae = _bend(vertebrae, rng)
    vertebrae = _listhesis(vertebrae, rng)
    old, new = anatomy.vertebrae[0].pose, vertebrae[0].pose
    # The head follows C2, and nods on it.
    nod_deg = float(rng.normal(0, 5))
    tip = new.apply(_inverse(old, np.array([[anatomy.skull.pose.x_mm, anatomy.skull.pose.y_mm]])))[0]
    head = replace(
        anatomy.skull,
        pose=Pose(
            x_mm=float(tip[0]),
            y_mm=float(tip[1]),
            angle_deg=anatomy.skull.pose.angle_deg + new.angle_deg - old.angle_deg + nod_deg,
        ),
        scale=anatomy.skull.scale * float(rng.uniform(0.92, 1.08)),
        jaw_drop_mm=float(rng.uniform(-2, 14)),
        oblique_mm=(float(rng.normal(0, 2.5)), float(rng.normal(0, 2.0))),
        fillings=int(rng.integers(0, 7)),
        occiput_mm=float(rng.uniform(-20, 4)),
        atlas=_draw_atlas(rng, nod_deg=nod_deg),
    )
    third = vertebrae[1].pose
    hyoid_x, hyoid_y = (float(x) for x in rng.normal(0, 5, 2))
    tissue = replace(
        anatomy.tissue,
        centres_mm={v.level: (v.pose.x_mm, v.pose.y_mm) for v in vertebrae},
        half_widths_mm={v.level: v.body_width_mm / 2 for v in vertebrae},
        head=head.pose,
        scale=anatomy.tissue.scale * float(rng.uniform(0.8, 1.25)),
        depth_mm=anatomy.tissue.depth_mm * float(rng.uniform(0.75, 1.4)),
        shoulder_rise_mm=float(np.clip(rng.normal(8, 18), -40, 42)),
        shoulder_depth_mm=anatomy.tissue.shoulder_depth_mm * float(rng.uniform(0.6, 1.3)),
    )
    before = anatomy.vertebrae[1].pose
    hyoid = replace(
        anatomy.hyoid,
        x_mm=anatomy.hyoid.x_mm + third.x_mm - before.x_mm + hyoid_x,
        y_mm=anatomy.hyoid.y_mm + third.y_mm - before.y_mm + hyoid_y,
        angle_deg=anatomy.hyoid.angle_deg + float(rng.normal(0, 12)),
    )
    implant = anatomy.implant
    if implant is not None:
        levels = [v.level for v in implant.vertebrae]
        implant = replace(implant, vertebrae=tuple(v for v in vertebrae if v.level in levels))
    return replace(
        anatomy, vertebrae=tuple(vertebrae), skull=head, tissue=tissue, hyoid=hyoid, implant=implant
    )


def widen_view(view: View, rng: np.random.Generator, *, facing: str | None) -> View:
    """Replace field of view, position and rotation; the long side stays.

    Args:
        view: a view of the standard domain.
        rng: random generator.
        facing: "left", "right", or None to draw it.
    """
    long_side_px = max(view.size_px)
    aspect = float(rng.uniform(0.6, 1.1))
    height, width = round(long_side_px / max(aspect, 1.0)), round(long_side_px * min(aspect, 1.0))
    kind = rng.random()
    field_mm = float(rng.uniform(165, 260))
    centre = (float(rng.uniform(0.28, 0.68)), float(rng.uniform(0.38, 0.58)))
    if kind < 0.12:
        field_mm = float(rng.uniform(260, 330))
    elif kind < 0.24:
        field_mm = float(rng.uniform(100, 165))
        centre = (float(rng.uniform(0.25, 0.6)), float(rng.uniform(0.2, 0.8)))
    right = bool(rng.random() < 0.5)
    return View(
        size_px=(height, width),
        mm_per_pixel=field_mm / height,
        centre=centre,
        rotation_deg=float(np.clip(rng.normal(0, 7), -18, 18)),
        faces_right=right if facing is None else facing == "right",
    )


def widen_exposure(exposure: Exposure, rng: np.random.Generator) -> Exposure:
    """Draw scatter, contrast, display and blur from wide ranges.

    Args:
        exposure: an exposure of the standard domain.
        rng: random generator.
    """
    return replace(
        exposure,
        photons=float(np.exp(rng.uniform(np.log(6000), np.log(90000)))),
        scatter=float(rng.uniform(0.05, 0.6)),
        blur_mm=float(rng.uniform(0.12, 0.55)),
        tilt=(float(rng.normal(0, 0.25)), float(rng.normal(0, 0.25))),
        contrast=float(rng.uniform(1.0, 2.8)),
        level=float(rng.normal(0, 0.25)),
        equalize=float(rng.uniform(0.0, 0.85)),
        sharpen=float(rng.uniform(0.0, 1.6)),
        black=float(rng.uniform(-10, 45)),
        white=float(rng.uniform(205, 265)),
        border="none",
        marker=str(rng.choice(["", "R", "L", "RL", "D", "LAT"], p=(0.5, 0.2, 0.15, 0.05, 0.05, 0.05))),
        marker_at=(float(rng.uniform(0.08, 0.95)), float(rng.choice([rng.uniform(0.04, 0.2), 0.93]))),
        caption=False,
    )


def _resize(vertebrae: list[Vertebra], rng: np.random.Generator, *, child: bool) -> list[Vertebra]:
    """Vary the dimensions of all levels together, and of each level a little more."""
    common = dict(zip(_SIZES, rng.uniform(0.8, 1.2, len(_SIZES))))
    common["body_height"] = common["body_width"] * float(rng.uniform(0.88, 1.14))
    if child:
        common |= {"body_height": 0.72 * common["body_height"], "length": 0.75 * common["length"]}
    slope = float(rng.uniform(-6, 6))
    shift_mm = (float(rng.normal(0, 1.2)), float(rng.normal(0, 1.0)))
    spurs = 0.0 if child else float(rng.choice([0.0, 0.35, 0.7]))
    varied = []
    for vertebra in vertebrae:
        level = vertebra.level
        more_length, more_height, more_slope = _LEVEL_MEANS.get(level, _LEVEL_MEANS[""])
        own = dict(zip(_SIZES, np.clip(rng.normal(1, 0.07, len(_SIZES)), 0.8, 1.2)))
        size = {name: float(common[name] * own[name]) for name in _SIZES}
        length = float(np.clip(size["length"] * rng.uniform(0.9, 1.1), 0.65, 1.35)) * more_length
        pointed = 1.0 if level == "C2" or rng.random() < 0.4 else float(rng.uniform(0.45, 1.35))
        collapsed = 0.7 if level != "C2" and rng.random() < 0.03 else 1.0
        spur_mm = float(rng.gamma(1.0, 1.5)) if rng.random() < spurs else 0.0
        varied.append(
            replace(
                vertebra,
                body_width_mm=vertebra.body_width_mm * size["body_width"],
                body_height_mm=vertebra.body_height_mm * size["body_height"] * collapsed,
                canal_mm=vertebra.canal_mm * size["canal"],
                process_length_mm=vertebra.process_length_mm * length,
                process_height_mm=vertebra.process_height_mm * size["base"] * more_height,
                tip_height_mm=vertebra.tip_height_mm * 0.9 * size["tip"] * more_height * pointed,
                process_slope_deg=float(vertebra.process_slope_deg + slope + more_slope + rng.normal(0, 3)),
                osteophyte_mm=min(vertebra.osteophyte_mm + spur_mm, 6.0),
                oblique_mm=(vertebra.oblique_mm[0] + shift_mm[0], vertebra.oblique_mm[1] + shift_mm[1]),
                shape=draw_process_shape(rng, level),
                wedge=float(rng.uniform(0.1, 0.35)) if child and rng.random() < 0.8 else 0.0,
            )
        )
    return varied


def _bend(vertebrae: list[Vertebra], rng: np.random.Generator) -> list[Vertebra]:
    """Add lordosis or kyphosis, lean the neck, and narrow, fuse or widen discs."""
    count = len(vertebrae)
    curve = float(rng.normal(0, 2.5)) + rng.normal(0, 1.0, count - 1)
    if rng.random() < 0.2:  # one sharp bend
        curve[int(rng.integers(0, 5))] += float(rng.normal(0, 8))
    turns = np.append(np.cumsum(curve[::-1])[::-1], 0.0)
    lean = float(rng.normal(0, 4))
    bent = [
        replace(v, pose=replace(v.pose, angle_deg=float(v.pose.angle_deg + turn + lean)))
        for v, turn in zip(vertebrae, turns - turns[2])
    ]
    factors = rng.uniform(0.5, 1.15) * rng.uniform(0.8, 1.15, count - 1)
    if rng.random() < 0.2:  # degenerated or fused segments
        first = int(rng.integers(1, 5))
        factors[first : first + int(rng.integers(1, 3))] = float(rng.choice([0.0, 0.2, 0.35]))
    gaps = [disc_height_mm(a, b) for a, b in itertools.pairwise(vertebrae)]
    return stack_vertebrae(bent, [float(max(g, 2.5) * f) for g, f in zip(gaps, factors)])


def _listhesis(vertebrae: list[Vertebra], rng: np.random.Generator) -> list[Vertebra]:
    """Shift the vertebrae above a segment forwards or backwards, now and then."""
    if rng.random() > 0.25:
        return vertebrae
    segment, step_mm = int(rng.integers(1, 6)), float(rng.normal(0, 2.2))
    return [
        replace(v, pose=replace(v.pose, x_mm=v.pose.x_mm + (step_mm if i < segment else 0.0)))
        for i, v in enumerate(vertebrae)
    ]


def _draw_atlas(rng: np.random.Generator, *, nod_deg: float) -> AtlasArch:
    """Draw the posterior arch of C1; it follows only half of the head's nod."""
    return AtlasArch(
        reach=float(rng.uniform(0.75, 1.1)),
        thick=float(rng.uniform(0.45, 0.9)),
        club=float(rng.uniform(0.5, 0.85)),
        tilt_deg=float(np.clip(rng.normal(25, 6) - 0.6 * nod_deg, 0, 42)),
        depth_mm=float(rng.uniform(3.5, 8.0)),
        shell_mm=float(rng.uniform(0.6, 1.5)),
    )


def _inverse(pose: Pose, points_mm: np.ndarray) -> np.ndarray:
    """Map points after the pose back to local axes."""
    turned = Pose(x_mm=0.0, y_mm=0.0, angle_deg=-pose.angle_deg)
    return turned.apply(points_mm - np.array([pose.x_mm, pose.y_mm]))
