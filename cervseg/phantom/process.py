"""Shape of a spinous process in the wide domain: tongue, hook, club or point, with one tip or two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cervseg.phantom.solid import ellipse, smooth_outline

# Positions along the process at which its height is given, as fractions of the length.
_STATIONS = (0.13, 0.30, 0.48, 0.66, 0.82)


@dataclass(frozen=True, kw_only=True)
class ProcessShape:
    """Shape and bone of a process, relative to its length and heights.

    Args:
        waist: height at the waist, relative to the mean of base and tip.
        waist_at: position of the waist, as a fraction of the length.
        sag: how far the tip hangs below the straight axis, as a fraction of the length.
        blunt: length of the rounded end relative to the height of the tip; small values are square.
        lip_mm: size of a second tip below the end; 0 for none.
        rough: 10 small numbers that vary the upper and the lower edge, relative to the height.
        depth_mm: thickness along the beam.
        edge_mm: see :class:`~cervseg.phantom.solid.Solid`.
        shell_mm: thickness of the cortex.
        twin_size: size of the half of the process on the other side, relative to this side.
        twin_shift_mm: shift (x, y) of that half.
        core: density of a denser core near the tip, relative to bone; 0 for none.
    """

    waist: float
    waist_at: float
    sag: float
    blunt: float
    lip_mm: float
    rough: tuple[float, ...]
    depth_mm: float
    edge_mm: float
    shell_mm: float
    twin_size: float
    twin_shift_mm: tuple[float, float]
    core: float

    def outline_mm(self, *, length_mm: float, base_mm: float, tip_mm: float) -> np.ndarray:
        """Compute the N x 2 outline along +x from the origin at the spinolaminar line; row 0 is the tip.

        Args:
            length_mm: length from the spinolaminar line to the tip.
            base_mm: height at the base.
            tip_mm: height at the tip.
        """
        base, tip = base_mm / 2, tip_mm / 2
        end = min(self.blunt * tip, 0.45 * length_mm)
        stations = np.array(_STATIONS) * (length_mm - end)
        places = (0.0, self.waist_at * length_mm, length_mm)
        half = np.interp(stations, places, (base, self.waist * (base + tip) / 2, tip))
        rough = np.asarray(self.rough)
        above, below = half * (1 + rough[:5]), half * (1 + rough[5:])
        lower = [(x, y) for x, y in zip(stations[::-1], below[::-1])]
        upper = [(x, -y) for x, y in zip(stations, above)]
        points = np.array([
            (length_mm, 0.0), (length_mm - 0.22 * end, 0.6 * tip), (length_mm - end, 0.98 * tip), *lower,
            (0.2, base), (-0.1, 0.45 * base), (0.0, -0.4 * base), (0.7, -base), *upper,
            (length_mm - end, -0.98 * tip), (length_mm - 0.22 * end, -0.6 * tip),
        ])  # fmt: skip
        return smooth_outline(self._sagged(points, length_mm))

    def lip_outline_mm(self, *, length_mm: float, tip_mm: float) -> np.ndarray:
        """Compute the outline of the second tip, in the axes of :meth:`outline_mm`.

        Args:
            length_mm: length from the spinolaminar line to the tip.
            tip_mm: height at the tip.
        """
        size = self.lip_mm
        lip = ellipse(length_mm - 0.8 * size, tip_mm / 2 + 0.1 * size, 0.75 * size, size, angle_deg=20)
        return self._sagged(lip, length_mm)

    def _sagged(self, points: np.ndarray, length_mm: float) -> np.ndarray:
        """Bend the straight axis downwards, more towards the tip."""
        along = np.clip(points[:, 0] / length_mm, 0.0, 1.2)
        return points + np.stack([np.zeros_like(along), self.sag * length_mm * along**2], axis=1)


def draw_process_shape(rng: np.random.Generator, level: str) -> ProcessShape:
    """Draw the shape of a process.

    Args:
        rng: random generator.
        level: "C2" to "T2"; C2's process is broad and mostly has a lower lip.
    """
    axis = level == "C2"
    lip = float(rng.uniform(1.5, 4.5 if axis else 3.2))
    has_lip = bool(rng.random() < (0.65 if axis else 0.3))
    return ProcessShape(
        waist=float(rng.uniform(0.8, 1.15) if axis else rng.uniform(0.65, 1.1)),
        waist_at=float(rng.uniform(0.4, 0.75)),
        sag=float(rng.normal(0.03, 0.05) if axis else rng.normal(0.05, 0.09)),
        blunt=float(rng.uniform(0.3, 1.0)),
        lip_mm=lip if has_lip else 0.0,
        rough=tuple(float(r) for r in np.clip(rng.normal(0, 0.06, 10), -0.14, 0.14)),
        depth_mm=float(rng.uniform(3.5, 9.0) * (1.3 if axis else 1.0)),
        edge_mm=float(rng.uniform(1.4, 4.5)),
        shell_mm=float(rng.uniform(0.4, 1.0)),
        twin_size=float(rng.uniform(0.85, 1.0)),
        twin_shift_mm=(float(rng.normal(-0.3, 0.4)), float(rng.normal(0, 0.5))),
        core=float(rng.choice([0.0, rng.uniform(0.3, 1.2)], p=(0.7, 0.3))),
    )


def sloped(points_mm: np.ndarray, *, slope_deg: float, length_mm: float) -> np.ndarray:
    """Slope a straight process downwards.

    Near the canal, sections stay parallel to the canal; further out they are perpendicular to the axis.

    Args:
        points_mm: N x 2 points (along, across) of a process along +x from the origin.
        slope_deg: downward slope.
        length_mm: length of the process.

    Returns:
        N x 2 float64.
    """
    along, across = points_mm.T
    slope = np.deg2rad(slope_deg)
    turn = slope * np.clip(along / (0.4 * length_mm), 0.0, 1.0)
    x_mm = along * np.cos(slope) - across * np.sin(turn)
    y_mm = along * np.sin(slope) + across * np.cos(turn)
    return np.stack([x_mm, y_mm], axis=1)
