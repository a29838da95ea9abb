"""Skull, atlas, jaw and hyoid, above and in front of the cervical spine.

Local axes: origin at the tip of the dens, x posterior, y inferior, in mm; the head's pose moves them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cervseg.phantom.solid import Pose, Solid, band, bone, clip_outline, ellipse, smooth_outline

# Visible edges of the skull base in the lateral view: points along the edge, width and depth (mm).
_BASE_EDGES = (
    (((-112, -21), (-80, -23), (-52, -25), (-40, -23)), 2.6, 16),
    (((-112, -17), (-80, -19), (-56, -22), (-44, -24)), 2.0, 9),
    (((-84, -70), (-58, -58), (-42, -40), (-34, -18)), 1.8, 8),
    (((-60, -72), (-44, -56), (-34, -38), (-28, -20)), 1.6, 7),
    (((-40, -66), (-22, -50), (-6, -46), (14, -50)), 2.2, 9),
    (((-10, -40), (6, -34), (24, -38), (44, -30)), 2.0, 8),
    (((-6, -14), (4, -7), (14, -5), (22, -9)), 2.4, 12),
    (((-2, -22), (8, -14), (18, -14), (26, -20)), 1.8, 8),
    (((28, 2), (38, -6), (44, -20), (44, -36)), 2.0, 5),
    (((-104, -60), (-96, -44), (-92, -30), (-90, -22)), 1.4, 6),
)
# The thick end of C1's posterior arch begins here, in mm behind the tip of the dens.
_TUBERCLE_FROM_MM = 32.0
# The posterior arch of C1 tilts about this point, at the back of the lateral masses.
_ARCH_PIVOT_MM = (12.0, 5.0)


@dataclass(frozen=True, kw_only=True)
class AtlasArch:
    """Size and tilt of C1's posterior arch relative to that of the standard domain.

    Args:
        reach: length of the arch behind the lateral masses, relative to the standard.
        thick: height of the bar in front of the tubercle, relative to the standard.
        club: height of the tubercle, relative to the standard.
        tilt_deg: rotation about the lateral masses; positive is downwards.
        depth_mm: thickness of the bar along the beam.
        shell_mm: thickness of the cortex.
    """

    reach: float
    thick: float
    club: float
    tilt_deg: float
    depth_mm: float
    shell_mm: float

    def apply(self, points_mm: np.ndarray) -> np.ndarray:
        """Deform N x 2 points of the standard arch, in the axes of the head."""
        x, y = np.asarray(points_mm, dtype=np.float64).T
        behind = np.clip(x - _ARCH_PIVOT_MM[0], 0.0, None)
        at_club = np.clip((x - 29.0) / 5.0, 0.0, 1.0)
        size = np.where(behind > 0, self.thick + (self.club - self.thick) * at_club, 1.0)
        height = (y - _ARCH_PIVOT_MM[1]) * size
        angle = np.deg2rad(self.tilt_deg) * np.clip(behind / 12.0, 0.0, 1.0)
        along = behind * self.reach
        moved_x = np.minimum(x, _ARCH_PIVOT_MM[0]) + along * np.cos(angle) - height * np.sin(angle)
        return np.stack([moved_x, _ARCH_PIVOT_MM[1] + along * np.sin(angle) + height * np.cos(angle)], axis=1)


@dataclass(frozen=True, kw_only=True)
class Skull:
    """Pose and dimensions of the head.

    Args:
        pose: pose of the tip of the dens.
        scale: size relative to the mean.
        density: bone density relative to a healthy adult.
        jaw_drop_mm: opening of the jaw in mm.
        oblique_mm: shift (x, y) of the left side, and the opposite of the right side, in mm.
        fillings: number of tooth positions that may have metal fillings.
        occiput_mm: shift of the lower edge of the occiput; positive is down.
        atlas: size and tilt of the posterior arch of C1.
        variation: 16 standard normal numbers that vary the shape.
    """

    pose: Pose
    scale: float
    density: float
    jaw_drop_mm: float
    oblique_mm: tuple[float, float]
    fillings: int
    variation: tuple[float, ...]
    occiput_mm: float = 0.0
    atlas: AtlasArch | None = None

    def solids(self) -> list[Solid]:
        """List the solids of the head and C1, in mm."""
        return [solid for part in self.parts().values() for solid in part]

    def parts(self) -> dict[str, list[Solid]]:
        """List the solids of "skull", "arch" (of C1), "process" (tubercle of C1), "teeth" and "jaw".

        Within a part, the outline of the whole bone is among the outlines; all are in mm.
        """
        arch, tubercle = _atlas(self)
        local = {"skull": [*_vault(self), *_base(self)], "arch": arch, "process": [tubercle]}
        local |= {"teeth": _teeth(self), "jaw": []}
        for side in (-1, 1):
            shift_mm = np.asarray(self.oblique_mm) * side * 1.6
            local["jaw"] += [replace(s, outline_mm=s.outline_mm + shift_mm) for s in _jaw_side(self)]
        return {
            name: [replace(solid, outline_mm=self._place(solid.outline_mm)) for solid in part]
            for name, part in local.items()
        }

    def atlas_process_outline_mm(self) -> np.ndarray:
        """Compute the N x 2 outline of C1's process after the pose, in mm.

        C1 has no spinous process: this is the posterior tubercle with the thick end of the posterior arch.
        """
        end = clip_outline(_atlas_ramus(self), np.array([_TUBERCLE_FROM_MM, 0.0]), np.array([1.0, 0.0]))
        return self._place(end if self.atlas is None else self.atlas.apply(end))

    def _place(self, outline_mm: np.ndarray) -> np.ndarray:
        """Scale and move local points to the head's pose."""
        return self.pose.apply(outline_mm * self.scale)


def _vault(skull: Skull) -> list[Solid]:
    """Model the cranial vault: a thick shell with an outer and an inner table."""
    v = skull.variation
    low = 4.0 + 3.0 * v[0] + skull.occiput_mm
    outline = smooth_outline([
        (4, -10), (20, -6 + 0.5 * low), (38, low), (56, low + 4 + v[1]), (75, low - 2), (95, -20 + 3 * v[2]),
        (113, -50), (118, -90), (95, -150), (40, -175), (-30, -160), (-70, -110), (-66, -75), (-35, -52),
        (-14, -38), (-2, -22),
    ])  # fmt: skip
    middle = np.array([25.0, -85.0])
    other_side = (outline - middle) * 0.985 + middle + (1.5 * v[9], -1.0 + v[10])
    inner = (outline - middle) * (0.945, 0.93) + middle
    wall = Solid(
        outline_mm=outline,
        depth_mm=150.0,
        edge_mm=48.0,
        shell_mm=6.0 + 0.6 * v[3],
        shell_per_mm=0.018 * skull.density,
        inside_per_mm=0.0034,
        coarse=True,
    )
    table = replace(
        wall, depth_mm=14.0, edge_mm=6.0, shell_mm=1.4, shell_per_mm=0.04 * skull.density, inside_per_mm=0.001
    )
    return [
        wall,
        replace(table, coarse=False),
        replace(table, outline_mm=other_side, depth_mm=9.0),
        replace(table, outline_mm=inner, depth_mm=6.0, shell_mm=0.8, inside_per_mm=0.0),
    ]


def _base(skull: Skull) -> list[Solid]:
    """Model the skull base: petrous bones with air cells, clivus, facial bones, sinus and their edges."""
    v, spongy = skull.variation, 0.017 * skull.density
    petrous = smooth_outline(
        [(-20, -30), (0, -50), (26, -52), (46, -34), (44, -12), (26, 2), (10, -1), (-4, -8)]
    )
    mastoid = smooth_outline([(6, -28), (20, -38), (36, -30), (40, -12), (28, 4 + v[4]), (16, 0), (8, -12)])
    clivus = smooth_outline([(-36, -60), (-24, -58), (-4, -28), (5, -10), (0, -6), (-8, -14), (-22, -34)])
    facial = smooth_outline([(-40, -70), (-20, -46), (-12, -22), (-18, -8), (-28, -18), (-40, -40)])
    sinus = smooth_outline([(-110, -62), (-70, -60), (-54, -46), (-54, -32), (-80, -28), (-112, -28)])
    block = Solid(
        outline_mm=petrous,
        depth_mm=50,
        edge_mm=24,
        inside_per_mm=spongy,
        grain=0.12,
        coarse=True,
        wedge=True,
    )
    solids = [
        block,
        replace(block, outline_mm=mastoid, depth_mm=32, edge_mm=14, grain=0.4),
        replace(block, outline_mm=clivus, depth_mm=34, edge_mm=9),
        replace(block, outline_mm=facial, depth_mm=20, edge_mm=9),
        replace(block, outline_mm=sinus, depth_mm=36, edge_mm=16, grain=0.2, inside_per_mm=-0.015),
    ]
    for i, (points, width, depth) in enumerate(_BASE_EDGES):
        line = [(x + 1.2 * v[(i + j) % 16], y + 1.2 * v[(3 * i + j) % 16]) for j, (x, y) in enumerate(points)]
        outline = band(line, [0.6 * width, width, width, 0.5 * width])
        dense = 0.032 * skull.density
        solids.append(Solid(outline_mm=outline, depth_mm=depth, edge_mm=0.6 * width, inside_per_mm=dense))
    return solids


def _atlas(skull: Skull) -> tuple[list[Solid], Solid]:
    """Model C1: (anterior arch, lateral masses that overlap the dens, posterior arch), posterior tubercle."""
    v, density = skull.variation, skull.density
    front = ellipse(-8.4, 5.5, 3.2, 5.4, angle_deg=-12 + 4 * v[5])
    arch = [bone(front, depth_mm=13, edge_mm=2.6, shell_mm=0.9, density=density)]
    for side in (-1, 1):
        shift = np.asarray(skull.oblique_mm) * side
        mass = smooth_outline(
            np.array([(-6, 0), (2, -4), (10, -6), (13, 2), (11, 13), (1, 14), (-6, 9)]) + shift
        )
        arch += [
            bone(mass, depth_mm=11, edge_mm=6, shell_mm=0.4, density=density),
            _atlas_bone(skull, _atlas_ramus(skull, side), depth_mm=6, edge_mm=2.8, shell_mm=1.0),
        ]
    tubercle = ellipse(37, 5.6 + v[6], 3.6, 5.2, angle_deg=-15)
    depth_mm = 5.0 if skull.atlas is None else 0.8
    return arch, _atlas_bone(skull, tubercle, depth_mm=depth_mm, edge_mm=3.0, shell_mm=0.7)


def _atlas_bone(
    skull: Skull, outline: np.ndarray, *, depth_mm: float, edge_mm: float, shell_mm: float
) -> Solid:
    """Make a bone of the posterior arch of C1, deformed as the arch is."""
    if skull.atlas is not None:
        # The arch is a bar with a thick cortex, and hardly denser in the middle of its tubercle.
        outline = skull.atlas.apply(outline)
        depth_mm, shell_mm = skull.atlas.depth_mm * depth_mm / 6, skull.atlas.shell_mm
        edge_mm, inside = 0.55 * edge_mm, 0.4
        dense = bone(outline, depth_mm=depth_mm, edge_mm=edge_mm, shell_mm=shell_mm, density=skull.density)
        return replace(dense, inside_per_mm=inside * dense.inside_per_mm)
    return bone(outline, depth_mm=depth_mm, edge_mm=edge_mm, shell_mm=shell_mm, density=skull.density)


def _atlas_ramus(skull: Skull, side: int = 0) -> np.ndarray:
    """Outline one half of C1's posterior arch (side -1 or 1), or its middle (0); its end is club-shaped."""
    up = skull.variation[6]
    shift = np.asarray(skull.oblique_mm) * side
    return smooth_outline(np.array([
        (6, -1.5), (14, -2.0), (21, 1.6), (29, 1.6 + 0.8 * up), (35.0, -1.2 + up), (40.0, -0.4 + up),
        (42.5, 4.6 + up), (41.0, 10.4 + up), (36.5, 12.6 + up), (30, 9.6 + up),
        (21, 8.2), (13, 10.5), (7, 11),
    ]) + 0.6 * shift)  # fmt: skip


def _jaw_side(skull: Skull) -> list[Solid]:
    """Model one half of the mandible: ramus, angle and body, with the mandibular canal."""
    v, drop = skull.variation, skull.jaw_drop_mm
    outline = smooth_outline([
        (-24, -38), (-19, -41), (-16, -36), (-22, -18), (-27, 0), (-28 + v[7], 12 + drop), (-34, 20 + drop),
        (-48, 27 + drop + v[8]), (-75, 31 + drop + v[8]), (-115, 31 + drop), (-118, 2 + drop),
        (-80, 1 + drop), (-58, -1 + drop), (-52, -14), (-46, -34), (-40, -38), (-34, -26),
    ])  # fmt: skip
    canal = band([(-36, -8 + drop), (-50, 10 + drop), (-75, 17 + drop), (-115, 18 + drop)], [3, 3, 3, 3])
    return [
        bone(outline, depth_mm=11, edge_mm=5, shell_mm=1.4, density=0.8 * skull.density, grain=0.06),
        Solid(outline_mm=canal, depth_mm=3, edge_mm=1.5, inside_per_mm=-0.01),
    ]


def _teeth(skull: Skull) -> list[Solid]:
    """Model the teeth of both sides and jaws, each a crown and a root; some have metal fillings."""
    v, drop = skull.variation, skull.jaw_drop_mm
    crown = np.array([(-3.2, 0), (0, 0.8), (3.3, 0), (4.2, 4), (3.2, 7.5), (-3.2, 7.5), (-4.2, 4)])
    root = np.array([(-3.4, 6), (3.4, 6), (2.2, 17), (0, 20), (-2.2, 17)])
    filling = np.array([(-2.8, 0.0), (2.6, 1.0), (2.0, 3.2), (-2.2, 3.0)])
    solids = []
    for i in range(12):
        side, place = (-1, 1)[i % 2], i // 2
        x = -57.0 - 8.8 * place + 0.8 * v[i] + 2.2 * side * skull.oblique_mm[0]
        for up, gum in ((-1, -7.0 + 0.4 * drop), (1, 1.0 + drop)):
            y = gum + 0.9 * side * skull.oblique_mm[1] + 0.5 * v[(i + 3) % 16] + 0.35 * place
            lean = np.array([[1.0, 0.0], [0.1 + 0.1 * v[(i + 7) % 16], 1.0]])
            lower, upper = (smooth_outline(part @ lean * (1, up) + (x, y)) for part in (root, crown))
            solids += [
                Solid(outline_mm=upper, depth_mm=8, edge_mm=3.4, shell_mm=1.0, inside_per_mm=0.034),
                Solid(outline_mm=lower, depth_mm=6, edge_mm=3, inside_per_mm=0.022),
            ]
            if place < skull.fillings and v[(2 * i + 6 + up) % 16] > 0.3:
                metal = smooth_outline(filling * (1, up) + (x, y))
                solids.append(Solid(outline_mm=metal, depth_mm=6, edge_mm=1, inside_per_mm=0.4))
    return solids


def hyoid_solids(pose: Pose, *, density: float, oblique_mm: tuple[float, float]) -> list[Solid]:
    """Model the hyoid: a small body and two thin horns that point backwards and upwards.

    Args:
        pose: pose of the hyoid's body.
        density: bone density relative to a healthy adult.
        oblique_mm: shift (x, y) of one horn, and the opposite of the other, in mm.

    Returns:
        The solids, in mm.
    """
    ring = smooth_outline([(-3.2, -4), (1.5, -5), (4.0, -1), (3.2, 4.0), (-0.5, 5.2), (-3.6, 2)])
    solids = [bone(ring, depth_mm=12, edge_mm=2.4, shell_mm=0.7, density=0.8 * density)]
    for side in (-1, 1):
        dx, dy = side * oblique_mm[0], side * (oblique_mm[1] + 0.8)
        line = [(2.0, -1 + dy), (12.0, -2 + dy), (22.0, -4.5 + dy), (32 + dx, -9 + dy)]
        horn = band(line, [3.6, 2.4, 1.7, 2.2])
        solids.append(bone(horn, depth_mm=3.0, edge_mm=1.2, shell_mm=0.4, density=0.8 * density))
    return [solid.moved(pose) for solid in solids]
