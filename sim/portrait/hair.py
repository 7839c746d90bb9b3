"""Hair on and below the head."""

from sim.drawing import Canvas, Point, ellipse, mirrored, mix
from sim.portrait.geometry import BLACK, CHIN, CROWN, EYES, MIDDLE, WHITE
from sim.portrait.looks import TIED_BACK, Looks


def beard(canvas: Canvas, face: Looks, outline: list[Point]) -> None:
    """Moustache and beard."""
    color = mix(face.hair, face.skin, 0.15)
    y = 336.0
    if face.moustache:
        w = face.mouth_width
        lip = mirrored(
            MIDDLE,
            [
                (0, y - 12),
                (0.4 * w, y - 15),
                (0.98 * w, y - 4),
                (0.9 * w, y + 1),
                (0.4 * w, y - 7),
                (0, y - 6),
            ],
        )
        canvas.fill(lip, color, blur=1.3, opacity=0.85)
    if face.beard:
        skin = canvas.mask(outline)
        chin = mirrored(MIDDLE, [(0, y + 21), (22, y + 24), (30, y + 38), (36, CHIN + 12), (0, CHIN + 20)])
        canvas.fill(chin, color, blur=4.5, opacity=0.8, within=skin)
        jaw = mirrored(
            MIDDLE,
            [(0, y + 26), (40, y + 20), (64, y - 10), (78, y - 60), (110, y - 60), (110, 420), (0, 420)],
        )
        canvas.fill(jaw, color, blur=7, opacity=0.4, within=skin)


def mans_hair(canvas: Canvas, face: Looks) -> None:
    """Hair of a man, or what is left of it."""
    w, color = face.face_width + 4, face.hair
    side_hair: list[Point] = [
        (0, CROWN - 6),
        (0.62 * w, CROWN + 8),
        (1.02 * w, CROWN + 62),
        (1.05 * w, EYES - 12),
    ]
    if face.bald:
        for side in (-1, 1):
            canvas.fill(
                [
                    (MIDDLE + side * 0.98 * w, EYES + 4),
                    (MIDDLE + side * 1.03 * w, EYES - 40),
                    (MIDDLE + side * 0.9 * w, EYES - 78),
                    (MIDDLE + side * 0.88 * w, EYES - 40),
                ],
                color,
                blur=3,
                opacity=0.85,
            )
        return
    # Hairline from the temple to the middle.
    lines: list[list[Point]] = [
        [(0.93 * w, EYES - 30), (0.82 * w, EYES - 76), (0.4 * w, EYES - 92), (0, EYES - 88)],
        [(0.93 * w, EYES - 30), (0.78 * w, EYES - 80), (0.35 * w, EYES - 104), (0, EYES - 106)],
        [(0.95 * w, EYES - 30), (0.84 * w, EYES - 84), (0.45 * w, EYES - 106), (0, EYES - 108)],
        [(0.95 * w, EYES - 30), (0.76 * w, EYES - 88), (0.54 * w, EYES - 108), (0, EYES - 108)],
    ]
    rise = (8.0, 16.0, 0.0, 4.0)[face.hairstyle]
    top = [(dx, y - rise * (1 - dx / (1.2 * w))) for dx, y in side_hair]
    cap = canvas.mask(mirrored(MIDDLE, top + lines[face.hairstyle]), 0.8)
    canvas.cover(cap, color, 0.82 if face.hairstyle == 2 else 1.0)
    canvas.fill(
        ellipse(MIDDLE - 24, CROWN + 14, 54, 12), mix(color, WHITE, 0.32), blur=9, opacity=0.55, within=cap
    )
    if face.hairstyle == 0:
        canvas.stroke(
            [(MIDDLE - 30, EYES - 92), (MIDDLE - 24, CROWN + 6)],
            mix(color, face.skin, 0.45),
            2.4,
            blur=0.8,
        )


def hair_behind(canvas: Canvas, face: Looks) -> None:
    """The part of long hair that falls behind neck and shoulders."""
    w = face.face_width + 8
    length = {0: 480.0, 2: 500.0, 3: 372.0}[face.hairstyle]
    outline: list[Point] = [
        (0, CROWN - 14),
        (0.7 * w, CROWN),
        (1.16 * w, CROWN + 80),
        (1.24 * w, EYES + 60),
        (1.26 * w, length - 40),
        (0.95 * w, length),
        (0, length - 10),
    ]
    canvas.fill(mirrored(MIDDLE, outline), mix(face.hair, BLACK, 0.25))


def womans_hair(canvas: Canvas, face: Looks) -> None:
    """Hair of a woman who wears no scarf."""
    w, color = face.face_width + 8, face.hair
    outer: list[Point] = [
        (0, CROWN - 14),
        (0.66 * w, CROWN),
        (1.1 * w, CROWN + 72),
        (1.15 * w, EYES + 30),
    ]
    fall = {0: EYES + 120, 1: EYES - 4, 2: EYES + 130, 3: EYES + 96}[face.hairstyle]
    if face.hairstyle == 2:
        inner: list[Point] = [
            (1.02 * w, fall),
            (0.9 * w, EYES - 6),
            (0.84 * w, EYES - 42),
            (0.45 * w, EYES - 46),
            (0, EYES - 48),
        ]
    elif face.hairstyle == TIED_BACK:
        inner = [(0.96 * w, fall), (0.86 * w, EYES - 62), (0.45 * w, EYES - 98), (0, EYES - 104)]
    else:
        inner = [
            (1.0 * w, fall),
            (0.88 * w, EYES - 10),
            (0.74 * w, EYES - 62),
            (0.3 * w, EYES - 100),
            (0, EYES - 118),
        ]
    cap = canvas.mask(mirrored(MIDDLE, [*outer, (1.16 * w, fall), *inner]), 0.8)
    canvas.cover(cap, color)
    gloss = mix(color, (200, 180, 170), 0.4)
    canvas.fill(ellipse(MIDDLE - 40, CROWN + 30, 34, 15), gloss, blur=9, opacity=0.5, within=cap)
    canvas.fill(ellipse(MIDDLE + 46, CROWN + 34, 28, 14), gloss, blur=9, opacity=0.35, within=cap)
    if face.hairstyle in (0, 3):
        canvas.stroke([(MIDDLE, CROWN - 8), (MIDDLE, EYES - 112)], mix(color, face.skin, 0.6), 2.2, blur=0.8)
