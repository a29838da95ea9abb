"""Soft tissue of neck and shoulders, the airway, and the bones of the shoulder girdle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cervseg.phantom.solid import SOFT_TISSUE_PER_MM, Pose, Solid, band, bone, ellipse, smooth_outline

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class SoftTissue:
    """Position and thickness of the soft tissue.

    Args:
        centres_mm: centre (x, y) of each body, by level C2..T2.
        half_widths_mm: half of the width of each body, by level.
        head: pose of the tip of the dens.
        scale: size of the neck relative to the mean.
        depth_mm: thickness of the neck along the beam.
        shoulder_rise_mm: height of the shoulders; with larger values they cover more of the spine.
        shoulder_depth_mm: thickness of both shoulders together along the beam.
        density: bone density relative to a healthy adult.
        variation: 16 standard normal numbers that vary the shape.
    """

    centres_mm: dict[str, Point]
    half_widths_mm: dict[str, float]
    head: Pose
    scale: float
    depth_mm: float
    shoulder_rise_mm: float
    shoulder_depth_mm: float
    density: float
    variation: tuple[float, ...]

    def solids(self) -> list[Solid]:
        """List the solids of neck, shoulders, airway and shoulder girdle, in mm."""
        return [solid for part in self.parts().values() for solid in part]

    def parts(self) -> dict[str, list[Solid]]:
        """List the solids of "neck", "shoulders", "airway", "cartilage" and "girdle", in mm."""
        return {
            "neck": _neck(self),
            "shoulders": _shoulders(self),
            "airway": _airway(self),
            "cartilage": _cartilage(self),
            "girdle": _girdle(self),
        }

    def from_level(self, level: str, dx_mm: float, dy_mm: float = 0.0) -> Point:
        """Return the point at an offset from the centre of a body.

        Args:
            level: level of the body.
            dx_mm: offset in x at the mean neck size.
            dy_mm: offset in y at the mean neck size.

        Returns:
            The point (x, y) in mm.
        """
        x, y = self.centres_mm[level]
        return x + dx_mm * self.scale, y + dy_mm * self.scale

    def in_front(self, level: str, dx_mm: float, dy_mm: float = 0.0) -> Point:
        """Return the point (x, y) in mm at an offset from the front of a body; dx is towards anterior."""
        return self.from_level(level, -self.half_widths_mm[level] - dx_mm, dy_mm)

    def from_head(self, x_mm: float, y_mm: float) -> Point:
        """Map a point (x, y) in the axes of the head at mean size to (x, y) in mm."""
        x, y = self.head.apply(np.array([[x_mm * self.scale, y_mm * self.scale]]))[0]
        return float(x), float(y)


def _neck(tissue: SoftTissue) -> list[Solid]:
    """Model the soft tissue of neck and head: skin, fat, face and the muscles around the spine."""
    v, at, head = tissue.variation, tissue.from_level, tissue.from_head
    chin, waist = 4 * v[2], 79.0 + 3.0 * v[0]
    outline = smooth_outline([
        head(-135, 38 + chin), head(-84, 50 + chin), at("C5", -63 + v[3], -16), at("C5", -52 + v[3], 4),
        at("C6", -48 + v[3], 2), at("C7", -49, 8), at("C7", -60, 33), at("C7", -92, 62), at("C7", -150, 130),
        at("C7", 60, 190), at("C7", 230, 150), at("C7", 138, 62), at("C7", 108, 26), at("C6", waist + 6, 2),
        at("C5", waist), at("C4", waist + 2, -10), at("C3", waist + 12, -14), head(112, 4), head(128, -30),
        head(150, -90), head(60, -220), head(-100, -190), head(-175, -120),
    ])  # fmt: skip
    face = smooth_outline([
        head(-160, 34), head(-60, 42), head(-30, 26), head(-14, -10), head(-4, -40),
        head(20, -150), head(-150, -150),
    ])  # fmt: skip
    muscle = smooth_outline([
        head(-10, -20), at("C3", -19), at("C5", -25), at("C7", -32), at("T2", -40, 30), at("T2", 80, 40),
        at("C7", 70), at("C6", 58), at("C4", 54), at("C3", 60, -14), head(66, -2), head(40, -40),
    ])  # fmt: skip
    skin = Solid(outline_mm=outline, depth_mm=9.0, edge_mm=5.0, inside_per_mm=SOFT_TISSUE_PER_MM, coarse=True)
    return [
        skin,
        replace(skin, depth_mm=0.92 * tissue.depth_mm, edge_mm=62.0),
        replace(skin, outline_mm=face, depth_mm=50.0, edge_mm=40.0, wedge=True),
        replace(skin, outline_mm=muscle, depth_mm=26.0, edge_mm=38.0, wedge=True),
    ]


def _shoulders(tissue: SoftTissue) -> list[Solid]:
    """Model two shoulders at different heights, with a smooth increase of thickness."""
    v, at, rise = tissue.variation, tissue.from_level, tissue.shoulder_rise_mm
    solids = []
    for side, drop in ((-1, 0.0), (1, 9.0 + 5.0 * v[4])):
        y = drop - rise
        outline = smooth_outline([
            at("C7", -120, 88 + y), at("C7", -78, 50 + y), at("C7", -40, 28 + y), at("C7", -6, 16 + y),
            at("C7", 30, 2 + y + 3 * v[5]), at("C7", 62, -8 + y), at("C7", 96, 4 + y), at("C7", 135, 40 + y),
            at("C7", 200, 200), at("C7", -140, 220),
        ])  # fmt: skip
        shoulder = Solid(
            outline_mm=outline + np.array([6.0 * side * (1 + 0.3 * v[6]), 0.0]),
            depth_mm=tissue.shoulder_depth_mm / 2,
            edge_mm=62.0,
            inside_per_mm=SOFT_TISSUE_PER_MM,
            coarse=True,
            wedge=True,
        )
        solids += [shoulder, replace(shoulder, depth_mm=8.0, edge_mm=30.0, wedge=False)]
    return solids


def _airway(tissue: SoftTissue) -> list[Solid]:
    """Model pharynx, larynx and trachea: air, as negative soft tissue, in front of the spine."""
    v, head = tissue.variation, tissue.from_head

    front = tissue.in_front
    throat = 12.5 + 0.6 * v[7]
    pharynx = band(
        [head(-30, -46), head(-24, -24), head(-24, 4), front("C2", throat), front("C3", throat),
         front("C4", throat + 1, -2), front("C4", throat + 2, 9)],
        [14, 11, 9 + v[8], 10 + v[8], 13, 14, 8],
    )  # fmt: skip
    vallecula = smooth_outline([
        front("C4", 24, -11 + v[9]), front("C4", 16, -6), front("C4", 13, 6), front("C5", 16, -1),
        front("C5", 26, 3), front("C5", 31, 2), front("C4", 28, 4),
    ])  # fmt: skip
    trachea = band(
        [front("C5", 23, 4), front("C6", 23, 2), front("C7", 23), front("T1", 21), front("T2", 17, 8)],
        [7, 13, 15, 15, 15],
    )
    epiglottis = band([head(-36, 44), front("C4", 24, -8), front("C4", 22, 4)], [1.6, 3.2, 2.2])
    air = Solid(outline_mm=pharynx, depth_mm=19.0, edge_mm=5.0, inside_per_mm=-SOFT_TISSUE_PER_MM)
    lid = Solid(outline_mm=epiglottis, depth_mm=12.0, edge_mm=1.2, inside_per_mm=SOFT_TISSUE_PER_MM)
    return [
        air,
        lid,
        replace(air, outline_mm=vallecula, depth_mm=15.0, edge_mm=7.0, wedge=True),
        replace(air, outline_mm=trachea, depth_mm=12.0, edge_mm=7.0),
    ]


def _cartilage(tissue: SoftTissue) -> list[Solid]:
    """Model small ossifications of the thyroid and cricoid cartilage."""
    v, front = tissue.variation, tissue.in_front
    shield = band([front("C5", 15, -8), front("C6", 13, -4), front("C6", 14, 10)], [1.6, 3.2, 1.6])
    solids = [Solid(outline_mm=shield, depth_mm=6, edge_mm=1.6, inside_per_mm=0.014, grain=0.5)]
    for i in range(6):
        x, y = tissue.from_level("C5", -tissue.half_widths_mm["C5"] - 20 + 3.0 * v[i], 6 + 4.0 * v[i + 6])
        fleck = ellipse(x, y, 1.1, 2.4, angle_deg=25 * v[i + 8])
        solids.append(Solid(outline_mm=fleck, depth_mm=4, edge_mm=1.1, inside_per_mm=0.016))
    return solids


def _girdle(tissue: SoftTissue) -> list[Solid]:
    """Model the clavicles, first ribs and scapular edges of both sides."""
    v, density = tissue.variation, tissue.density
    solids = []
    for side in (-1, 1):
        dx, dy = 8.0 * side + 4.0 * v[10], 6.0 * side * (1 + 0.4 * v[11]) - 0.5 * tissue.shoulder_rise_mm

        def at(x_mm: float, y_mm: float, dx: float = dx, dy: float = dy) -> Point:
            return tissue.from_level("T1", x_mm + dx, y_mm + dy)

        clavicle = [at(-130, 66), at(-72, 40), at(-40, 27), at(-8, 26), at(22, 38), at(44, 66)]
        rib = [at(10, 4 - dy), at(-6, 18), at(-24, 40), at(-34, 90)]
        scapula = [at(34, 12), at(58, 34), at(98, 60), at(150, 75)]
        solids += [
            bone(
                band(clavicle, [12, 11, 10, 9.5, 11, 13]),
                depth_mm=11,
                edge_mm=5,
                shell_mm=1.5,
                density=density,
            ),
            bone(band(rib, [7, 7, 7, 8]), depth_mm=3, edge_mm=3.2, shell_mm=0.5, density=density),
            bone(band(scapula, [3, 5, 7, 9]), depth_mm=4, edge_mm=2.6, shell_mm=0.6, density=density),
        ]
    return solids
