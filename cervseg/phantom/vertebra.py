"""One vertebra: dimensions, pose, and the solids of its bones in the lateral view.

Local axes: origin at the centre of the body, x posterior, y inferior, in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cervseg.phantom.process import ProcessShape, sloped
from cervseg.phantom.solid import Pose, Solid, band, bone, clip_outline, ellipse, smooth_outline

# The middle of the spinolaminar line is slightly below the centre of the body.
SPINOLAMINAR_Y_MM = 2.0


@dataclass(frozen=True, kw_only=True)
class Vertebra:
    """Dimensions and pose of one vertebra.

    Args:
        level: "C2" to "C7", "T1" or "T2".
        pose: pose of the centre of the body.
        body_width_mm: anteroposterior width of the body.
        body_height_mm: height of the body.
        canal_mm: anteroposterior diameter of the spinal canal.
        process_length_mm: length of the spinous process, from the spinolaminar line to the tip.
        process_slope_deg: downward slope of the process relative to the body.
        process_height_mm: height of the process at its base.
        tip_height_mm: height of the process at its tip.
        density: bone density relative to a healthy adult.
        osteophyte_mm: length of the anterior osteophytes.
        oblique_mm: shift (x, y) of one side, and the opposite of the other side.
        fracture_mm: displacement (x, y) of the fragment of a fractured process; None without a fracture.
        variation: 12 standard normal numbers that vary the shape.
        shape: shape of the process; None for the shape of the standard domain.
        wedge: loss of height of the front of the body, as a fraction; for C3 to T2.
    """

    level: str
    pose: Pose
    body_width_mm: float
    body_height_mm: float
    canal_mm: float
    process_length_mm: float
    process_slope_deg: float
    process_height_mm: float
    tip_height_mm: float
    density: float
    osteophyte_mm: float
    oblique_mm: tuple[float, float]
    fracture_mm: tuple[float, float] | None
    variation: tuple[float, ...]
    shape: ProcessShape | None = None
    wedge: float = 0.0

    @property
    def spinolaminar_local_mm(self) -> tuple[float, float]:
        """Middle of the spinolaminar line (x, y) in local axes."""
        return self.body_width_mm / 2 + self.canal_mm, SPINOLAMINAR_Y_MM

    def process_outline_local_mm(self) -> np.ndarray:
        """Compute the N x 2 outline of the intact process in local axes; row 0 is the tip."""
        if self.shape is not None:
            straight = self.shape.outline_mm(
                length_mm=self.process_length_mm, base_mm=self.process_height_mm, tip_mm=self.tip_height_mm
            )
        else:
            straight = smooth_outline(_axis_process(self) if self.level == "C2" else _tongue(self))
        return self._sloped(straight)

    def process_outlines_mm(self) -> list[np.ndarray]:
        """Compute the N x 2 outlines of the process after the pose: one, or two (fracture, second tip)."""
        whole = self.process_outline_local_mm()
        if self.fracture_mm is None:
            return [self.pose.apply(whole), *self._lips()]
        base, tip = np.asarray(self.spinolaminar_local_mm), whole[0]
        axis = (tip - base) / np.linalg.norm(tip - base)
        # A clay-shoveler's fracture is oblique, in the outer half; the tip is displaced downwards.
        normal = Pose(x_mm=0, y_mm=0, angle_deg=20 + 5 * self.variation[11]).apply(axis[None])[0]
        cut = base + 0.58 * (tip - base)
        fragment = clip_outline(whole, cut, normal) + np.asarray(self.fracture_mm)
        return [self.pose.apply(clip_outline(whole, cut, -normal)), self.pose.apply(fragment)]

    def tip_mm(self) -> tuple[float, float]:
        """Compute the tip (x, y) of the process after the pose; of the fragment if it is fractured."""
        tip = self.process_outline_local_mm()[:1] + np.asarray(self.fracture_mm or (0.0, 0.0))
        x, y = self.pose.apply(tip)[0]
        return float(x), float(y)

    def _lips(self) -> list[np.ndarray]:
        """Compute the outline of the second tip after the pose, if there is one."""
        if self.shape is None or self.shape.lip_mm <= 0:
            return []
        lip = self.shape.lip_outline_mm(length_mm=self.process_length_mm, tip_mm=self.tip_height_mm)
        return [self.pose.apply(self._sloped(lip))]

    def _sloped(self, straight: np.ndarray) -> np.ndarray:
        """Slope a process along +x and place it at the spinolaminar line, in local axes."""
        slope_deg, length_mm = self.process_slope_deg, self.process_length_mm
        return sloped(straight, slope_deg=slope_deg, length_mm=length_mm) + self.spinolaminar_local_mm

    def body_corners_mm(self) -> dict[str, tuple[float, float]]:
        """Compute the corners of the body after the pose, 'top left' to 'bottom right'; left is anterior."""
        half_width, half_height = self.body_width_mm / 2, self.body_height_mm / 2
        corners = {
            "top left": (-half_width + 0.3, -half_height + 0.5),
            "top right": (half_width - 0.2, -half_height - 0.3),
            "bottom left": (-half_width - 0.4, half_height + 0.5),
            "bottom right": (half_width, half_height - 0.2),
        }
        points = self.pose.apply(np.array(list(corners.values())))
        return {name: (float(x), float(y)) for name, (x, y) in zip(corners, points)}

    def solids(self) -> list[Solid]:
        """List the solids of the vertebra after the pose, the spinous process last."""
        return [solid for part in self.parts().values() for solid in part]

    def parts(self) -> dict[str, list[Solid]]:
        """List the solids of "body" (the body itself first), "pillars", "lamina" and "process", in mm."""
        body = _axis_body(self) if self.level == "C2" else _body(self)
        return {
            "body": [solid.moved(self.pose) for solid in body],
            "pillars": [solid.moved(self.pose) for solid in _pillars(self)],
            "lamina": [solid.moved(self.pose) for solid in (_lamina(self), *_junction(self))],
            "process": self._process_solids(),
        }

    def _process_solids(self) -> list[Solid]:
        outlines = self.process_outlines_mm()
        if self.shape is not None:
            return self._shaped_solids(self.shape, outlines)
        depth_mm = {"C2": 12.0, "C6": 7.5, "C7": 8.5}.get(self.level, 8.0)
        solids = [_bone(self, outline, depth_mm, 3.8, 0.7) for outline in outlines]
        # The two tubercles of a bifid tip overlap, which makes it denser.
        middle, tip = outlines[-1].mean(axis=0), np.asarray(self.tip_mm())
        x, y = 0.35 * middle + 0.65 * tip
        tubercle = ellipse(x, y, 2.6, self.tip_height_mm * 0.34)
        return [
            *solids,
            Solid(
                outline_mm=tubercle, depth_mm=5.0, edge_mm=2.6, inside_per_mm=0.03 * self.density, wedge=True
            ),
        ]

    def _shaped_solids(self, shape: ProcessShape, outlines: list[np.ndarray]) -> list[Solid]:
        depth_mm, edge_mm, shell_mm = shape.depth_mm, shape.edge_mm, shape.shell_mm
        # Both halves are seen one behind the other; their edges differ by a little.
        middle = outlines[0].mean(axis=0)
        twin = (outlines[0] - middle) * shape.twin_size + middle + np.asarray(shape.twin_shift_mm)
        solids = [
            _bone(self, outlines[0], 0.6 * depth_mm, edge_mm, shell_mm),
            _bone(self, twin, 0.4 * depth_mm, edge_mm, 0.8 * shell_mm),
        ]
        # A second tip lies beside the first; a fragment is as thick as the rest.
        share = 1.0 if self.fracture_mm else 0.55
        solids += [
            _bone(self, outline, share * depth_mm, 0.7 * edge_mm, shell_mm) for outline in outlines[1:]
        ]
        if shape.core > 0:
            x, y = 0.35 * outlines[-1].mean(axis=0) + 0.65 * np.asarray(self.tip_mm())
            core = ellipse(x, y, 2.6, self.tip_height_mm * 0.34)
            dense = 0.03 * self.density * shape.core
            solids.append(Solid(outline_mm=core, depth_mm=5.0, edge_mm=2.6, inside_per_mm=dense, wedge=True))
        return solids


def _bone(vertebra: Vertebra, outline: np.ndarray, depth_mm: float, edge_mm: float, shell_mm: float) -> Solid:
    return bone(outline, depth_mm=depth_mm, edge_mm=edge_mm, shell_mm=shell_mm, density=vertebra.density)


def _tongue(vertebra: Vertebra) -> np.ndarray:
    """Outline the process of C3 to T2 along +x from the origin: a waist, then a tip that bulges downwards."""
    length, base, tip = vertebra.process_length_mm, vertebra.process_height_mm / 2, vertebra.tip_height_mm / 2
    v = vertebra.variation
    waist = 0.93 + 0.06 * v[0]
    return np.array([
        (length, 0.2 * tip * v[1]),
        (length - 0.5 * tip, tip * 0.95),
        (length - 1.5 * tip, tip * (1.15 + 0.12 * v[2])),
        (length * 0.52, (base + tip) / 2 * waist + 0.3),
        (length * 0.22, base * (0.95 + 0.04 * v[3])),
        (0.3, base * 1.02),
        (-0.1, base * 0.5),
        (0.0, -base * 0.4),
        (0.8, -base * 1.0),
        (length * 0.30, -base * 0.88),
        (length * 0.58, -(base + tip) / 2 * waist + 0.2),
        (length - 1.3 * tip, -tip * (0.86 + 0.08 * v[4])),
        (length - 0.35 * tip, -tip * 0.66),
    ])  # fmt: skip


def _axis_process(vertebra: Vertebra) -> np.ndarray:
    """Outline the process of C2: broad, with a bifid lower corner that points downwards."""
    length, base, tip = vertebra.process_length_mm, vertebra.process_height_mm / 2, vertebra.tip_height_mm / 2
    v = vertebra.variation
    return np.array([
        (length, tip * 0.45),
        (length - 0.2, tip * 0.95),
        (length - 1.8, tip * (1.35 + 0.12 * v[1])),
        (length - 4.6, tip * 1.08),
        (length * 0.50, base * (0.86 + 0.05 * v[0])),
        (length * 0.22, base * 0.98),
        (0.2, base * 1.0),
        (-0.1, base * 0.4),
        (0.0, -base * 0.45),
        (1.0, -base * 1.0),
        (length * 0.32, -base * 1.02),
        (length * 0.62, -tip * (1.0 + 0.07 * v[2])),
        (length - 2.2, -tip * 0.86),
        (length - 0.5, -tip * 0.4),
    ])  # fmt: skip


def _body(vertebra: Vertebra) -> list[Solid]:
    """Model the body of C3 to T2: endplates, anterior lips, transverse processes, uncinates, pedicles."""
    w, h = vertebra.body_width_mm / 2, vertebra.body_height_mm / 2
    v, spur = vertebra.variation, vertebra.osteophyte_mm
    outline = smooth_outline([
        (-w - 0.6 * spur, -h + 0.9), (-w + 1.1, -h + 0.1), (-w * 0.4, -h + 0.45 + 0.15 * v[4]),
        (w * 0.35, -h + 0.35), (w - 1.3, -h - 0.2), (w - 0.2, -h + 0.7),
        (w - 0.35, -h * 0.4), (w - 0.4 + 0.1 * v[5], h * 0.35), (w - 0.2, h - 1.4), (w - 1.1, h - 0.3),
        (w * 0.4, h - 0.7 - 0.2 * v[6]), (-w * 0.25, h - 0.5), (-w + 1.2, h + 0.4),
        (-w - 0.1 - spur, h + 0.1), (-w + 0.05, h - 1.9),
        (-w + 0.5 + 0.12 * v[7], h * 0.15), (-w + 0.4, -h * 0.45),
    ])  # fmt: skip
    if vertebra.wedge > 0:
        ahead = np.clip((1 - outline[:, 0] / w) / 2, 0, 1)
        outline = outline * np.stack([np.ones_like(ahead), 1 - vertebra.wedge * ahead], axis=1)
    solids = [_bone(vertebra, outline, 22.0, 4.5, 0.6)]
    for y in (-h + 0.9, h - 1.0):
        plate = smooth_outline(
            [(-w + 1.6, y - 0.55), (w - 1.6, y - 0.55), (w - 1.6, y + 0.55), (-w + 1.6, y + 0.55)]
        )
        solids.append(
            Solid(outline_mm=plate, depth_mm=7.0, edge_mm=1.1, inside_per_mm=0.03 * vertebra.density)
        )
    for side in (-1, 1):
        dx, dy = (side * o for o in vertebra.oblique_mm)
        ring = ellipse(w - 3.4 + dx + 0.5 * v[8], -2.0 + 0.5 * v[3] + dy, 2.4, 3.4, angle_deg=25)
        dense = 0.026 * vertebra.density
        solids.append(
            Solid(outline_mm=ring, depth_mm=7.0, edge_mm=2.6, inside_per_mm=dense, grain=0.2, wedge=True)
        )
        uncus = smooth_outline([
            (-w * 0.1 + dx, -h + 1.5), (w * 0.3 + dx, -h - 1.6 + dy), (w - 2.2 + dx, -h - 2.4 + dy),
            (w - 0.6 + dx, -h + 0.6), (w * 0.4 + dx, -h + 2.6),
        ])  # fmt: skip
        pedicle = smooth_outline(
            [(w - 2.5, -h * 0.75), (w + 3.5 + dx, -h * 0.6), (w + 3.5 + dx, h * 0.15), (w - 2.5, 0)]
        )
        solids += [_bone(vertebra, uncus, 4.0, 2.0, 0.4), _bone(vertebra, pedicle, 4.5, 2.2, 0.5)]
    return solids


def _axis_body(vertebra: Vertebra) -> list[Solid]:
    """Model body and dens of C2, with the dense ring of its pedicles and superior facets."""
    w, h = vertebra.body_width_mm / 2, vertebra.body_height_mm / 2
    v = vertebra.variation
    outline = smooth_outline([
        (-w - 0.2, h + 0.8), (-w + 0.6, h - 2.0), (-w + 1.8, 0.0), (-w + 2.6, -h), (-w + 3.0, -h - 4.5),
        (-w + 2.6, -h - 9.5), (-w + 3.6, -h - 14.2 + 0.5 * v[4]), (-w + 6.2, -h - 16.3 + 0.5 * v[4]),
        (-w + 9.6, -h - 14.2), (-w + 10.8, -h - 9.0), (-w + 11.2, -h - 4.0), (w - 2.0, -h), (w - 0.9, 0.0),
        (w - 0.2, h - 0.9), (w - 1.0, h - 0.2), (w * 0.3, h - 1.1), (-w * 0.35, h - 0.8), (-w + 1.2, h + 0.7),
    ])  # fmt: skip
    solids = [_bone(vertebra, outline, 17.0, 5.5, 0.6)]
    for side in (-1, 1):
        dx, dy = (side * o for o in vertebra.oblique_mm)
        ring = ellipse(w * 0.10 + dx, -h - 1.2 + dy, 4.9, 6.4, angle_deg=12 + 4 * v[5])
        shoulder = smooth_outline([
            (-w + 3 + dx, -h - 1 + dy), (w * 0.5 + dx, -h - 6.5 + dy), (w + 5 + dx, -h - 4 + dy),
            (w + 10.5 + dx, 0.0 + dy), (w + 3 + dx, h * 0.8 + dy), (0.0 + dx, h * 0.4 + dy),
        ])  # fmt: skip
        solids += [_bone(vertebra, ring, 5.0, 3.5, 0.6), _bone(vertebra, shoulder, 8.0, 6.0, 0.3)]
    return solids


def _pillars(vertebra: Vertebra) -> list[Solid]:
    """Model both articular pillars; their facets slope backwards and downwards."""
    w, v = vertebra.body_width_mm / 2, vertebra.variation
    tall = vertebra.body_height_mm / 13.5
    shape = np.array([
        (0.2, -12.0), (1.4, -12.6), (6.3, -8.3), (11.0, -3.2), (12.6, 1.5), (13.7, 7.5), (13.4, 12.2),
        (11.8, 13.2), (9.8, 11.6), (5.6, 7.2), (1.6, 3.0), (-0.6, 0.3), (-0.9, -6.5),
    ])  # fmt: skip
    if vertebra.level == "C2":
        shape = np.concatenate([[(-4.0, -8.5), (3.0, -10.5), (9.0, -6.5)], shape[shape[:, 1] > -5]])
    if vertebra.level.startswith("T"):
        shape = shape * (1.0, 1.1)
    solids = []
    for side in (-1, 1):
        shift = (w - 0.6 + side * vertebra.oblique_mm[0], side * vertebra.oblique_mm[1])
        outline = shape * (1.0 + 0.02 * side * v[9], tall) + shift
        # Subchondral bone is dense: a bright line on either side of each joint.
        facets = [[(10.6, 11.0), (6.0, 6.2), (2.2, 2.2)]]
        if vertebra.level != "C2":
            facets.append([(1.6, -11.0), (6.4, -7.0), (10.8, -2.4)])
        for facet in facets:
            line = [tuple(point) for point in np.array(facet) * (1.0, tall) + shift]
            plate = band(line, [0.9, 1.3, 0.9])
            solids.append(
                Solid(outline_mm=plate, depth_mm=4.5, edge_mm=0.7, inside_per_mm=0.05 * vertebra.density)
            )
        solids.append(_bone(vertebra, smooth_outline(outline), 9.5, 3.2, 0.8))
    return solids


def _lamina(vertebra: Vertebra) -> Solid:
    """Model both laminae as one solid, from the pillars to the spinolaminar line."""
    w, end = vertebra.body_width_mm / 2, vertebra.canal_mm
    half = vertebra.process_height_mm / 2
    y = SPINOLAMINAR_Y_MM
    rise = 4.0 if vertebra.level == "C2" else 0.0
    outline = smooth_outline([
        (w + 5.5, -6.0 - rise), (w + end - 5.0, y - half - 1.0 - rise / 3), (w + end + 0.2, y - half - 0.2),
        (w + end + 0.9, y - half * 0.6), (w + end + 0.5, y), (w + end + 0.9, y + half * 0.6),
        (w + end + 0.4, y + half + 0.2), (w + end - 2.0, y + half + 1.4), (w + 10.5, y + half + 2.4),
        (w + 7.0, 3.0 + rise), (w + 4.0, -2.0),
    ])  # fmt: skip
    return _bone(vertebra, outline, 9.0 if vertebra.level != "C2" else 17.0, 4.0, 0.6)


def _junction(vertebra: Vertebra) -> list[Solid]:
    """Model the junction of laminae and process: a bright arc of cortex, and the bone behind it."""
    x, y = vertebra.spinolaminar_local_mm
    half = vertebra.process_height_mm / 2
    arc = band(
        [
            (x - 2.6, y - half - 0.6),
            (x + 0.1, y - half * 0.4),
            (x, y + half * 0.5),
            (x - 2.2, y + half + 1.6),
        ],
        [0.8, 1.5, 1.5, 0.8],
    )
    dense = 0.042 * vertebra.density
    return [
        Solid(outline_mm=arc, depth_mm=5.0, edge_mm=0.8, inside_per_mm=dense, grain=0.1),
        Solid(
            outline_mm=ellipse(x + 0.4, y, 4.2, half, angle_deg=vertebra.process_slope_deg),
            depth_mm=4.5,
            edge_mm=4.2,
            inside_per_mm=dense,
            wedge=True,
        ),
    ]
