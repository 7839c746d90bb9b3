"""What people wear: shirt, scarf, cap, glasses."""

from sim.drawing import Canvas, Color, Point, ellipse, intersect, mirrored, mix, subtract
from sim.portrait.geometry import BLACK, CHIN, CROWN, EYES, MIDDLE, WHITE
from sim.portrait.looks import Looks


def body(canvas: Canvas, face: Looks) -> None:
    """Shoulders, neck and a shirt with a collar."""
    dark = mix(face.shirt, BLACK, 0.35)
    shoulders: list[Point] = [
        (0, 425),
        (52, 432),
        (92, 450),
        (150, 472),
        (182, 500),
        (192, 545),
        (0, 560),
    ]
    torso = canvas.mask(mirrored(MIDDLE, shoulders))
    canvas.cover(torso, face.shirt)
    canvas.fill(ellipse(MIDDLE - 170, 560, 80, 100), dark, blur=22, opacity=0.6, within=torso)
    canvas.fill(ellipse(MIDDLE + 170, 560, 70, 95), dark, blur=22, opacity=0.4, within=torso)
    neck = mirrored(MIDDLE, [(0, 330), (50, 335), (50, 400), (60, 438), (30, 462), (0, 470)])
    canvas.fill(neck, mix(face.skin, BLACK, 0.08))
    canvas.fill(
        ellipse(MIDDLE, 392, 66, 26),
        mix(face.skin, BLACK, 0.5),
        blur=10,
        opacity=0.65,
        within=canvas.mask(neck),
    )
    for side in (-1, 1):
        collar: list[Point] = [
            (MIDDLE + side * 58, 425),
            (MIDDLE + side * 70, 438),
            (MIDDLE + side * 40, 492),
            (MIDDLE, 474),
            (MIDDLE + side * 30, 456),
        ]
        canvas.fill(collar, mix(face.shirt, WHITE, 0.25))
        canvas.stroke([collar[1], collar[2], collar[3]], dark, 1.8, taper=0.3, opacity=0.7)
    canvas.stroke([(MIDDLE, 478), (MIDDLE + 1, 540)], dark, 1.8, taper=0, opacity=0.6)


def hijab(canvas: Canvas, face: Looks) -> None:
    """A scarf that leaves the face free, in folds over the shoulders."""
    w, color = face.face_width, face.scarf
    dark = mix(color, BLACK, 0.4)
    opening: list[Point] = [
        (0, CROWN + 46),
        (0.55 * w, CROWN + 58),
        (0.88 * w, EYES - 40),
        (0.93 * w, EYES + 20),
        (0.79 * w * face.jaw**0.5, EYES + 78),
        (0.56 * w * face.jaw, CHIN - 36),
        (0.27 * w * face.jaw, CHIN - 11),
        (0, CHIN - 4),
    ]
    face_mask = canvas.mask(mirrored(MIDDLE, opening))
    cloth = subtract(canvas.mask(mirrored(MIDDLE, veil(face))), face_mask)
    rim = canvas.mask(mirrored(MIDDLE, opening), 7)
    canvas.cover(
        intersect(
            subtract(
                face_mask,
                canvas.mask(
                    mirrored(MIDDLE, [(dx * 0.94, y + (5 if y < EYES else -5)) for dx, y in opening]), 5
                ),
            ),
            face_mask,
        ),
        mix(face.skin, BLACK, 0.55),
        0.5,
    )
    canvas.cover(cloth, color)
    canvas.cover(intersect(rim, cloth), dark, 0.5)
    canvas.fill(ellipse(MIDDLE + 1.5 * w, 330, 50, 190), dark, blur=24, opacity=0.5, within=cloth)
    canvas.fill(ellipse(MIDDLE - 1.4 * w, 420, 36, 130), dark, blur=24, opacity=0.35, within=cloth)
    canvas.fill(
        ellipse(MIDDLE - 30, CROWN + 8, 60, 16), mix(color, WHITE, 0.5), blur=14, opacity=0.5, within=cloth
    )
    folds: list[list[Point]] = [
        [
            (MIDDLE - 1.0 * w, EYES + 60),
            (MIDDLE - 0.75 * w, 396),
            (MIDDLE + 0.2 * w, 446),
            (MIDDLE + 1.2 * w, 470),
        ],
        [
            (MIDDLE - 1.15 * w, EYES + 100),
            (MIDDLE - 0.9 * w, 430),
            (MIDDLE + 0.1 * w, 486),
            (MIDDLE + 1.3 * w, 510),
        ],
        [(MIDDLE + 1.0 * w, EYES + 70), (MIDDLE + 0.8 * w, 400), (MIDDLE + 0.1 * w, 428)],
        [(MIDDLE - 1.3 * w, 430), (MIDDLE - 1.1 * w, 490), (MIDDLE - 1.0 * w, 540)],
    ]
    for fold in folds:
        canvas.stroke(fold, dark, 5, blur=2.4, opacity=0.6)
        canvas.stroke([(x, y - 6) for x, y in fold], mix(color, WHITE, 0.5), 4, blur=3, opacity=0.35)


def veil(face: Looks) -> list[Point]:
    """Right side of what the scarf covers."""
    w = face.face_width
    return [
        (0, CROWN - 18),
        (0.7 * w, CROWN - 4),
        (1.18 * w, CROWN + 70),
        (1.28 * w, EYES + 40),
        (1.36 * w, EYES + 120),
        (156, 462),
        (200, 496),
        (220, 560),
        (0, 570),
    ]


def peci(canvas: Canvas, face: Looks) -> None:
    """The black cap of Muslim men."""
    w, color = face.face_width + 6, (24, 22, 26)
    cap: list[Point] = [
        (0, CROWN - 34),
        (0.5 * w, CROWN - 34),
        (0.84 * w, CROWN - 26),
        (0.96 * w, CROWN + 10),
        (1.03 * w, EYES - 76),
        (1.0 * w, EYES - 66),
        (0.5 * w, EYES - 76),
        (0, EYES - 80),
    ]
    mask = canvas.mask(mirrored(MIDDLE, cap), 0.5)
    canvas.fill(ellipse(MIDDLE, EYES - 68, 0.95 * w, 12), BLACK, blur=6, opacity=0.35)
    canvas.cover(mask, color)
    canvas.fill(ellipse(MIDDLE - 36, CROWN, 34, 30), (84, 82, 92), blur=14, opacity=0.6, within=mask)
    canvas.stroke(
        [(MIDDLE - 0.84 * w, CROWN - 24), (MIDDLE, CROWN - 30), (MIDDLE + 0.84 * w, CROWN - 24)],
        (70, 68, 76),
        2,
        blur=0.8,
    )


def glasses(canvas: Canvas, face: Looks) -> None:
    """Glasses with a dark frame."""
    frame: Color = (36, 32, 34)
    half = 31.0
    for side in (-1, 1):
        x = MIDDLE + side * max(face.eye_spacing, 40)
        lens: list[Point] = [
            (x - half, EYES - 14),
            (x, EYES - 20),
            (x + half, EYES - 14),
            (x + half - 2, EYES + 12),
            (x, EYES + 24),
            (x - half + 2, EYES + 12),
        ]
        canvas.fill(lens, (214, 230, 240), opacity=0.1)
        canvas.fill(ellipse(x - 12, EYES - 6, 5, 12), WHITE, blur=3, opacity=0.22)
        canvas.stroke([*lens, lens[0], lens[1]], frame, 3.2, taper=0, opacity=0.92)
        edge = MIDDLE + side * (face.face_width + 1)
        canvas.stroke([(x + side * half, EYES - 10), (edge, EYES - 6)], frame, 3.0, taper=0)
    canvas.stroke(
        [(MIDDLE - 10, EYES - 6), (MIDDLE, EYES - 10), (MIDDLE + 10, EYES - 6)], frame, 3.0, taper=0
    )
