"""Random anatomy of a phantom in a given posture, in millimetres.

Axes: x posterior, y inferior, origin at the centre of the C4 body. The view rotates and flips it later.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cervseg.phantom.implant import Implant, draw_implant
from cervseg.phantom.skull import Skull, hyoid_solids
from cervseg.phantom.softtissue import SoftTissue
from cervseg.phantom.solid import Pose, Solid
from cervseg.phantom.vertebra import Vertebra

Posture = Literal["neutral", "flexion", "extension"]
# Levels with a mask; of C1, which has no body and no spinous process, the posterior tubercle has one.
LEVELS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
BODY_LEVELS = LEVELS[1:]
_DRAWN_LEVELS = (*BODY_LEVELS, "T1", "T2")

# Means over adults of both sexes, mm and degrees; order C2..C7, T1, T2.
_BODY_WIDTH_MM = (16.4, 17.0, 17.2, 17.4, 17.8, 18.2, 18.4, 18.8)
_BODY_HEIGHT_MM = (16.0, 14.6, 14.2, 13.9, 14.0, 15.2, 16.8, 17.6)
_DISC_HEIGHT_MM = (4.0, 4.2, 4.4, 4.6, 4.6, 4.4, 4.4)
_CANAL_MM = (16.6, 15.4, 15.2, 15.2, 15.4, 15.4, 15.4, 15.4)
_PROCESS_LENGTH_MM = (17.5, 16.0, 16.2, 16.5, 21.6, 28.6, 30.0, 28.0)
_PROCESS_HEIGHT_MM = (13.0, 11.4, 11.0, 11.0, 11.8, 12.6, 13.0, 13.0)
_TIP_HEIGHT_MM = (14.6, 7.4, 7.0, 6.8, 6.6, 7.8, 8.5, 8.5)
_NEUTRAL_TILT_DEG = (9.0, 7.0, 2.5, -2.0, -7.5, -14.0, -21.0, -26.0)
_TIP_DISTANCE_MM = {"C4": 13.0, "C5": 13.5, "C6": 15.0, "C7": 18.0}
# Rotation of the segments C2-3 .. T1-2 in full flexion in degrees; extension is negative.
_FLEXION_DEG = (6.0, 7.5, 8.5, 9.0, 8.0, 4.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """A patient in a posture.

    Args:
        vertebrae: C2 to T2, from top to bottom.
        skull: head, jaw and C1.
        tissue: soft tissue, airway and shoulder girdle.
        hyoid: pose of the hyoid.
        implant: plate, screws and cages, or None.
        age_years: age in years, 16 to 92.
        sex: "female" or "male".
        posture: posture of the neck.
    """

    vertebrae: tuple[Vertebra, ...]
    skull: Skull
    tissue: SoftTissue
    hyoid: Pose
    implant: Implant | None
    age_years: float
    sex: Literal["female", "male"]
    posture: Posture

    def __getitem__(self, level: str) -> Vertebra:
        return next(vertebra for vertebra in self.vertebrae if vertebra.level == level)

    def process_outlines_mm(self, level: str) -> list[np.ndarray]:
        """Compute the N x 2 outlines (mm) of a level's process, C1 to T2: one, or two if it is fractured."""
        if level == "C1":
            return [self.skull.atlas_process_outline_mm()]
        return self[level].process_outlines_mm()

    def solids(self) -> list[Solid]:
        """List every solid that the beam crosses; attenuation is additive, so the order has no effect."""
        return [solid for part in self.parts().values() for solid in part]

    def parts(self) -> dict[str, list[Solid]]:
        """List the solids by part: "neck", ..., "head skull", ..., "hyoid", "C2 body", ..., "implant"."""
        skull = self.skull
        parts = {**self.tissue.parts(), **{f"head {name}": part for name, part in skull.parts().items()}}
        parts["hyoid"] = hyoid_solids(self.hyoid, density=skull.density, oblique_mm=skull.oblique_mm)
        for vertebra in self.vertebrae:
            parts |= {f"{vertebra.level} {name}": part for name, part in vertebra.parts().items()}
        parts["implant"] = self.implant.solids() if self.implant else []
        return parts


def draw_anatomy(
    rng: np.random.Generator,
    *,
    posture: Posture | None = None,
    hardware: bool | None = None,
    fracture: bool | None = None,
    overlap: bool | None = None,
) -> Anatomy:
    """Draw a random patient; arguments that are None are drawn, too.

    Args:
        rng: random generator; the same state gives the same patient.
        posture: "neutral" (probability 0.70), "flexion" or "extension" (0.15 each).
        hardware: add an anterior plate with screws (probability 0.06).
        fracture: fracture the spinous process of C6 or C7 (probability 0.05).
        overlap: let two neighbouring processes touch or overlap (probability 0.12).
    """
    age, male = float(np.clip(rng.normal(46, 18), 16, 92)), bool(rng.random() < 0.5)
    drawn_posture: Posture = ("neutral", "flexion", "extension")[int(rng.choice(3, p=(0.7, 0.15, 0.15)))]
    chances = rng.random(3)
    hardware = bool(chances[0] < 0.06) if hardware is None else hardware
    fracture = bool(chances[1] < 0.05) if fracture is None else fracture
    overlap = bool(chances[2] < 0.12) if overlap is None else overlap
    posture = posture or drawn_posture
    scale = (1.05 if male else 0.95) * float(np.clip(rng.normal(1.0, 0.03), 0.92, 1.08))
    vertebrae = _draw_vertebrae(rng, age=age, scale=scale, fracture=fracture)
    vertebrae = _slope_processes(vertebrae, rng, overlap=overlap)
    vertebrae = _bend(vertebrae, rng, posture=posture)
    skull = _draw_skull(rng, axis=vertebrae[0], scale=scale, posture=posture)
    return Anatomy(
        vertebrae=tuple(vertebrae),
        skull=skull,
        tissue=_draw_tissue(rng, vertebrae=vertebrae, skull=skull, male=male),
        hyoid=_draw_hyoid(rng, vertebrae=vertebrae, skull=skull),
        implant=draw_implant(rng, vertebrae) if hardware else None,
        age_years=age,
        sex="male" if male else "female",
        posture=posture,
    )


def _draw_skull(rng: np.random.Generator, *, axis: Vertebra, scale: float, posture: Posture) -> Skull:
    """Draw the head; it bends on the dens a little further than the neck does."""
    nod_deg = {"neutral": 0.0, "flexion": -6.0, "extension": 8.0}[posture] + rng.normal(0, 3)
    dens = axis.pose.apply(np.array([[-axis.body_width_mm / 2 + 6.0, -axis.body_height_mm / 2 - 16.0]]))[0]
    return Skull(
        pose=Pose(x_mm=float(dens[0]), y_mm=float(dens[1]), angle_deg=axis.pose.angle_deg - 9.0 + nod_deg),
        scale=scale,
        density=axis.density,
        jaw_drop_mm=float(np.clip(rng.normal(1, 2), -1, 8)),
        oblique_mm=(float(rng.normal(0, 1.6)), float(rng.normal(0, 1.3))),
        fillings=int(rng.integers(0, 5)),
        variation=_variation(rng, 16),
    )


def _draw_hyoid(rng: np.random.Generator, *, vertebrae: list[Vertebra], skull: Skull) -> Pose:
    """Draw the pose of the hyoid, in front of C3-C4 and rotated with the head."""
    third, fourth = vertebrae[1].pose, vertebrae[2].pose
    dx, dy, turn = rng.standard_normal(3)
    return Pose(
        x_mm=float((third.x_mm + fourth.x_mm) / 2 - (45 + 3 * dx) * skull.scale),
        y_mm=float((third.y_mm + fourth.y_mm) / 2 + 4 * dy - 2.0),
        angle_deg=float(skull.pose.angle_deg + 8 * turn),
    )


def _variation(rng: np.random.Generator, count: int) -> tuple[float, ...]:
    """Draw standard normal numbers, clipped to [-2, 2]."""
    return tuple(float(x) for x in np.clip(rng.standard_normal(count), -2.0, 2.0))


def _draw_vertebrae(rng: np.random.Generator, *, age: float, scale: float, fracture: bool) -> list[Vertebra]:
    """Draw the dimensions of C2..T2 and stack them in their neutral tilt."""
    worn = float(np.clip((age - 35) / 45, 0, 1))
    density = float(np.clip(1.05 - 0.3 * worn + 0.08 * rng.standard_normal(), 0.6, 1.2))
    oblique = (float(rng.normal(0, 0.7)), float(rng.normal(0, 0.6)))
    broken = str(rng.choice(["C6", "C7"])) if fracture else ""
    vertebrae = []
    for i, level in enumerate(_DRAWN_LEVELS):
        size = scale * (1 + 0.02 * rng.standard_normal(6))
        spur = worn * rng.gamma(1.0, 1.2) if level in ("C4", "C5", "C6", "C7") else 0.0
        vertebrae.append(
            Vertebra(
                level=level,
                pose=Pose(x_mm=0, y_mm=0, angle_deg=_NEUTRAL_TILT_DEG[i]),
                body_width_mm=float(_BODY_WIDTH_MM[i] * size[0]),
                body_height_mm=float(_BODY_HEIGHT_MM[i] * size[1]),
                canal_mm=float(_CANAL_MM[i] * size[2]),
                process_length_mm=float(_PROCESS_LENGTH_MM[i] * size[3] * (1 + 0.05 * rng.standard_normal())),
                process_slope_deg=float((14.0, 28.0)[i > 0] + 4.0 * rng.standard_normal()),
                process_height_mm=float(_PROCESS_HEIGHT_MM[i] * size[4]),
                tip_height_mm=float(_TIP_HEIGHT_MM[i] * size[5]),
                density=density,
                osteophyte_mm=float(min(spur, 4.0)),
                oblique_mm=oblique,
                fracture_mm=(float(rng.uniform(0.8, 2.4)), float(rng.uniform(2.0, 5.0)))
                if level == broken
                else None,
                variation=_variation(rng, 12),
            )
        )
    return stack_vertebrae(vertebrae, _draw_discs(rng, worn=worn, scale=scale))


def _draw_discs(rng: np.random.Generator, *, worn: float, scale: float) -> list[float]:
    """Draw the disc heights C2-3 .. T1-2 in mm; C4-5 to C6-7 degenerate most."""
    loss = worn * np.array([0.1, 0.2, 0.4, 0.6, 0.6, 0.2, 0.0]) * rng.random(7)
    return [float(d) for d in np.array(_DISC_HEIGHT_MM) * scale * (1 - loss)]


def stack_vertebrae(vertebrae: list[Vertebra], discs_mm: list[float]) -> list[Vertebra]:
    """Stack bodies along their tilt, the centre of C4 at the origin.

    Args:
        vertebrae: C2 to T2; their angles are kept.
        discs_mm: height of each of the seven discs.
    """
    centres = [np.zeros(2)]
    for i in range(1, len(vertebrae)):
        above, below = vertebrae[i - 1], vertebrae[i]
        angle = np.deg2rad((above.pose.angle_deg + below.pose.angle_deg) / 2)
        step = (above.body_height_mm + below.body_height_mm) / 2 + discs_mm[i - 1]
        centres.append(centres[-1] + step * np.array([-np.sin(angle), np.cos(angle)]))
    origin = centres[2]
    return [
        replace(v, pose=replace(v.pose, x_mm=float((c - origin)[0]), y_mm=float((c - origin)[1])))
        for v, c in zip(vertebrae, centres)
    ]


def _slope_processes(vertebrae: list[Vertebra], rng: np.random.Generator, *, overlap: bool) -> list[Vertebra]:
    """Rotate the processes of C4..C7 so that neighbouring tips are at their usual distances."""
    sloped = list(vertebrae)
    touching = int(rng.integers(2, 5)) if overlap else -1
    jitter = rng.normal(0, 0.06, size=len(vertebrae))
    share = rng.uniform(0.05, 0.35)
    scale = vertebrae[2].body_width_mm / _BODY_WIDTH_MM[2]
    for i in range(2, 6):
        if i == touching:
            # The upper process slopes more, and both tips are higher than usual.
            upper, lower = sloped[i - 1], sloped[i]
            sloped[i - 1] = replace(
                upper,
                process_slope_deg=min(upper.process_slope_deg + 12, 55),
                tip_height_mm=1.2 * upper.tip_height_mm,
            )
            sloped[i] = replace(lower, tip_height_mm=1.2 * lower.tip_height_mm)
        below = sloped[i]
        base = below.pose.apply(np.array([below.spinolaminar_local_mm]))[0]
        above_tip = np.array(sloped[i - 1].tip_mm()) - np.array(sloped[i - 1].fracture_mm or (0, 0))
        distance = _TIP_DISTANCE_MM[below.level] * scale * (1 + jitter[i]) * (share if i == touching else 1.0)
        reach, length = float(np.linalg.norm(above_tip - base)), below.process_length_mm
        distance = float(np.clip(distance, abs(reach - length) + 0.1, reach + length - 0.1))
        # Law of cosines in the triangle of the base, this tip and the tip above.
        cosine = (reach**2 + length**2 - distance**2) / (2 * reach * length)
        towards = np.arctan2(*(above_tip - base)[::-1])
        slope = np.rad2deg(towards + np.arccos(np.clip(cosine, -1, 1))) - below.pose.angle_deg
        sloped[i] = replace(below, process_slope_deg=float(np.clip(slope, -18 if i == touching else -12, 52)))
    return sloped


def _bend(vertebrae: list[Vertebra], rng: np.random.Generator, *, posture: Posture) -> list[Vertebra]:
    """Bring rigid vertebrae into a posture: rotate the segments, then the whole spine."""
    amount = {
        "neutral": rng.normal(0, 0.12),
        "flexion": rng.uniform(0.5, 1.0),
        "extension": -rng.uniform(0.4, 0.9),
    }
    turns = np.array(_FLEXION_DEG) * amount[posture] + rng.normal(0, 0.8, size=len(_FLEXION_DEG))
    lean = rng.normal(0, 4)
    gaps = [disc_height_mm(above, below) for above, below in itertools.pairwise(vertebrae)]
    # Flexion rotates a vertebra forwards (x towards -y) by the sum of all rotations below it.
    above_turns = np.append(np.cumsum(turns[::-1])[::-1], 0.0)
    bent = [
        replace(v, pose=replace(v.pose, angle_deg=float(v.pose.angle_deg - t + lean)))
        for v, t in zip(vertebrae, above_turns)
    ]
    return stack_vertebrae(bent, gaps)


def disc_height_mm(above: Vertebra, below: Vertebra) -> float:
    """Compute the height of the disc between two vertebrae in mm."""
    apart = np.hypot(above.pose.x_mm - below.pose.x_mm, above.pose.y_mm - below.pose.y_mm)
    return float(apart - (above.body_height_mm + below.body_height_mm) / 2)


def _draw_tissue(
    rng: np.random.Generator, *, vertebrae: list[Vertebra], skull: Skull, male: bool
) -> SoftTissue:
    """Draw the soft tissue around a spine."""
    build = float(np.clip(rng.normal(1.0, 0.08), 0.85, 1.25))
    return SoftTissue(
        centres_mm={v.level: (v.pose.x_mm, v.pose.y_mm) for v in vertebrae},
        half_widths_mm={v.level: v.body_width_mm / 2 for v in vertebrae},
        head=skull.pose,
        scale=skull.scale * (0.6 + 0.4 * build),
        depth_mm=(118.0 if male else 106.0) * build,
        shoulder_rise_mm=float(np.clip(rng.normal(-4, 11), -28, 22)),
        shoulder_depth_mm=float(rng.uniform(170, 240)) * build,
        density=skull.density,
        variation=_variation(rng, 16),
    )
