"""Objects and calcifications in and around the neck that are no labels: jewellery, tubes, collars, fixation.

Every function lists the solids of one kind of object, in mm, in the axes of the anatomy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cervseg.phantom.anatomy import Anatomy
from cervseg.phantom.solid import SOFT_TISSUE_PER_MM, TITANIUM_PER_MM, Solid, band, bone, ellipse

Point = tuple[float, float]
Decorate = Callable[[Anatomy, np.random.Generator], list[Solid]]


def earrings(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Hang one or two studs or rings below the ears."""
    solids = []
    ring, size = bool(rng.random() < 0.5), float(rng.uniform(1.0, 2.2))
    for _ in range(int(rng.integers(1, 3))):
        x, y = anatomy.tissue.from_head(*rng.uniform((-6, -8), (22, 18)))
        if not ring:
            solids.append(_metal(ellipse(x, y, size, size), 3.0, 0.3))
            continue
        radius = float(rng.uniform(4, 11))
        around = np.linspace(0, 2 * np.pi, 16)[:-1]
        line = [(x + 0.8 * radius * np.cos(a), y + radius + radius * np.sin(a)) for a in around]
        solids.append(_metal(band(line, [size] * len(line)), 1.6, 0.3))
    return solids


def ear_rods(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Put the ear rods of a cephalostat, two rings or discs that nearly coincide, over the ear."""
    x, y = anatomy.tissue.from_head(*rng.uniform((-8, -30), (14, -6)))
    radius, per_mm = float(rng.uniform(3, 9)), float(rng.uniform(0.02, 0.2))
    shift = rng.normal(0, 1.5, 2)
    solids = [_metal(ellipse(x, y, radius, radius), 6.0, per_mm)]
    solids.append(_metal(ellipse(x + shift[0], y + shift[1], 0.5 * radius, 0.5 * radius), 8.0, per_mm))
    line = [(x, y), (x + float(rng.uniform(-12, 12)), y - 70.0), (x, y - 140.0)]
    return [*solids, _metal(band(line, [5.0, 8.0, 8.0]), 4.0, 0.3 * per_mm)]


def necklace(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Lay a chain of beads or links around the lower neck."""
    at, drop = anatomy.tissue.from_level, float(rng.uniform(-12, 25))
    front, low = at("C7", -56, 6 + drop), at("C7", -15, 18 + drop)
    back = at("C7", float(rng.uniform(40, 85)), -10 + drop)
    t = np.linspace(0, 1, int(rng.integers(18, 55)))[:, None]
    line = (1 - t) ** 2 * front + 2 * t * (1 - t) * np.asarray(low) + t**2 * np.asarray(back)
    size, per_mm = float(rng.uniform(0.6, 1.8)), float(rng.uniform(0.1, 0.4))
    return [_metal(ellipse(x, y, size, 0.7 * size), 2.0, per_mm) for x, y in line]


def tube(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Lead a tube with bright walls through pharynx and trachea or gullet."""
    front, near = anatomy.tissue.in_front, float(rng.uniform(4, 22))
    line = [
        anatomy.tissue.from_head(-70, 4), anatomy.tissue.from_head(-34, 2), front("C2", near),
        front("C4", near), front("C6", near + 3), front("T1", near), front("T2", near, 20),
    ]  # fmt: skip
    width, per_mm = float(rng.uniform(3, 10)), float(rng.uniform(0.015, 0.09))
    wall = Solid(
        outline_mm=band(line, [width] * 7),
        depth_mm=width,
        edge_mm=width / 2,
        shell_mm=0.8,
        shell_per_mm=per_mm,
        inside_per_mm=-0.5 * SOFT_TISSUE_PER_MM,
    )
    return [wall, _metal(band(line, [0.9] * 7), 1.0, 0.15)]


def lead(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Lay one to three wires or infusion lines anywhere, some with a clip or electrode at the end."""
    solids = []
    for _ in range(int(rng.integers(1, 4))):
        x, y = anatomy.tissue.from_level("C5", *rng.uniform((-70, -110), (70, 90)))
        steps = np.cumsum(rng.normal(0, 1, (6, 2)) * 14 + rng.normal(0, 14, 2), axis=0)
        line = [(float(x + dx), float(y + dy)) for dx, dy in steps]
        width = float(rng.uniform(0.8, 2.6))
        solids.append(_metal(band(line, [width] * 6), width, float(rng.uniform(0.03, 0.3))))
        if rng.random() < 0.4:
            solids.append(_metal(ellipse(*line[0], 5.0, 5.0), 1.5, 0.15))
    return solids


def collar(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Put a stiff collar around the neck: plastic before and behind it, with rivets and straps."""
    at, per_mm = anatomy.tissue.from_level, float(rng.uniform(0.004, 0.016))
    solids = []
    for line in (
        [at("C3", -88), at("C4", -62), at("C5", -58), at("C6", -60), at("C7", -66, 10)],
        [at("C2", 92, -16), at("C3", 80), at("C5", 74), at("C6", 80), at("C7", 96, 10)],
    ):
        wall = [(x + float(rng.normal(0, 3)), y) for x, y in line]
        width = float(rng.uniform(2.5, 7))
        solids.append(_metal(band(wall, [width] * 5), 60.0, per_mm))
        x, y = wall[int(rng.integers(1, 4))]
        solids.append(_metal(ellipse(x, y, 3.0, 3.0), 2.0, 0.2))
    for level in ("C3", "C6"):
        strap = [at(level, -75, 6), at(level, 0, float(rng.uniform(-8, 8))), at(level, 85, -4)]
        solids.append(_metal(band(strap, [float(rng.uniform(8, 24))] * 3), 3.0, per_mm))
    return solids


def dentures(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Replace teeth by bridges and crowns, bright blocks in one or both jaws."""
    solids = []
    for y0 in rng.choice([-7.0, 3.0], size=int(rng.integers(1, 3)), replace=False):
        start, length = float(rng.uniform(-68, -52)), float(rng.uniform(8, 50))
        drop = anatomy.skull.jaw_drop_mm if y0 > 0 else 0.0
        line = [
            anatomy.tissue.from_head(start - s * length, float(y0) + drop + 2 * s) for s in (0.0, 0.5, 1.0)
        ]
        height = float(rng.uniform(4, 9))
        solids.append(_metal(band(line, [height, height, 0.8 * height]), 7.0, float(rng.uniform(0.06, 0.4))))
    return solids


def posterior_fixation(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Fix two to five levels with lateral mass screws and a rod on either side."""
    first, count = int(rng.integers(0, 4)), int(rng.integers(2, 6))
    levels = anatomy.vertebrae[first : first + count]
    solids = []
    for side in (-1, 1):
        heads, slope = [], float(rng.uniform(-35, 5))
        for vertebra in levels:
            dx, dy = (side * o for o in vertebra.oblique_mm)
            x = vertebra.body_width_mm / 2 + 12.5 + dx
            angle = np.deg2rad(slope)
            end = (x - 13 * np.cos(angle), 2.0 + dy + 13 * np.sin(angle))
            screw = vertebra.pose.apply(band([(x, 2.0 + dy), end], [3.6, 2.2]))
            head = vertebra.pose.apply(ellipse(x + 2.0, 2.0 + dy, 3.6, 3.6, angle_deg=slope))
            solids += [_metal(screw, 3.0, TITANIUM_PER_MM), _metal(head, 6.0, TITANIUM_PER_MM)]
            heads.append(head.mean(axis=0))
        rod = [(float(px), float(py)) for px, py in heads]
        solids.append(_metal(band(rod, [3.4] * len(rod)), 3.4, TITANIUM_PER_MM))
    return solids


def nuchal_ossicles(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Ossify the nuchal ligament: one to three ovals behind the tips of C4 to C7."""
    solids = []
    for _ in range(int(rng.integers(1, 4))):
        tip = np.array(anatomy[f"C{rng.integers(4, 8)}"].tip_mm())
        x, y = tip + rng.uniform((5, -8), (22, 6))
        size = rng.uniform((1.5, 3.0), (3.2, 9.0))
        outline = ellipse(float(x), float(y), *size, angle_deg=float(rng.normal(-15, 15)))
        solids.append(
            bone(outline, depth_mm=float(rng.uniform(2, 5)), edge_mm=1.8, shell_mm=0.6, density=0.9)
        )
    return solids


def calcifications(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Calcify thyroid, cricoid and tritiate cartilage or the carotid: specks and plates before the spine."""
    front = anatomy.tissue.in_front
    solids = []
    for _ in range(int(rng.integers(2, 13))):
        level = str(rng.choice(["C3", "C4", "C5", "C6"]))
        x, y = front(level, float(rng.uniform(6, 46)), float(rng.uniform(-8, 8)))
        size = rng.uniform((0.6, 1.0), (2.0, 4.5))
        fleck = ellipse(x, y, *size, angle_deg=float(rng.uniform(-60, 60)))
        solids.append(_speck(fleck, float(size[0]), rng))
    if rng.random() < 0.5:
        near = float(rng.uniform(14, 30))
        plate = [
            front("C4", near, 4),
            front("C5", near - 2, 0),
            front("C6", near - 6, -2),
            front("C6", near - 5, 8),
        ]
        widths = [float(w) for w in rng.uniform(1.2, 4.5, 4)]
        solids.append(_speck(band(plate, widths), 1.5, rng))
    return solids


def styloid(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Ossify the stylohyoid ligament: a thin rod from the skull base towards the hyoid."""
    start = np.asarray(anatomy.tissue.from_head(-8, -4))
    end = np.array([anatomy.hyoid.x_mm + 25, anatomy.hyoid.y_mm - 6])
    share = float(rng.uniform(0.35, 1.0))
    line = [tuple(start + t * share * (end - start)) for t in (0.0, 0.5, 1.0)]
    rod = band(line, [3.0, 2.6, 1.6])
    return [bone(rod, depth_mm=3.0, edge_mm=1.4, shell_mm=0.6, density=float(rng.uniform(0.6, 1.1)))]


def hair(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Hang a plait or wet strands of hair behind the neck."""
    at = anatomy.tissue.from_level
    solids = []
    for _ in range(int(rng.integers(2, 7))):
        x0 = float(rng.uniform(48, 95))
        line = [at(level, x0 + float(rng.normal(0, 5)), -20) for level in ("C2", "C3", "C5", "C7", "T2")]
        width = float(rng.uniform(2, 9))
        solids.append(_metal(band(line, [width] * 5), width, float(rng.uniform(0.004, 0.014))))
    return solids


# Probability of every kind of object in an image of the wide domain.
CHANCES: dict[Decorate, float] = {
    earrings: 0.10,
    ear_rods: 0.06,
    necklace: 0.06,
    tube: 0.07,
    lead: 0.08,
    collar: 0.06,
    dentures: 0.12,
    posterior_fixation: 0.05,
    nuchal_ossicles: 0.14,
    calcifications: 0.55,
    styloid: 0.12,
    hair: 0.06,
}


def draw_decorations(anatomy: Anatomy, rng: np.random.Generator) -> list[Solid]:
    """Draw which objects an image has, and list their solids in mm.

    Args:
        anatomy: the patient.
        rng: random generator.
    """
    chosen = rng.random(len(CHANCES)) < np.array(list(CHANCES.values()))
    return [solid for make, yes in zip(CHANCES, chosen) if yes for solid in make(anatomy, rng)]


def _metal(outline: np.ndarray, depth_mm: float, per_mm: float) -> Solid:
    """Make an even solid with a narrow edge."""
    return Solid(outline_mm=outline, depth_mm=depth_mm, edge_mm=0.8, inside_per_mm=per_mm)


def _speck(outline: np.ndarray, edge_mm: float, rng: np.random.Generator) -> Solid:
    """Make a calcification of random density."""
    depth_mm, per_mm = float(rng.uniform(2, 6)), float(rng.uniform(0.008, 0.05))
    return Solid(outline_mm=outline, depth_mm=depth_mm, edge_mm=edge_mm, inside_per_mm=per_mm, grain=0.4)
