"""The face itself: head, eyes, nose, mouth and the marks of age."""

from sim.drawing import Canvas, Point, ellipse, mirrored, mix
from sim.portrait.geometry import BLACK, CHIN, CROWN, EYES, MIDDLE, WHITE
from sim.portrait.looks import Looks


def outline_of(face: Looks) -> list[Point]:
    """Outline of the head."""
    w, jaw, chin = face.face_width, face.jaw, CHIN * face.chin**0.3
    return mirrored(
        MIDDLE,
        [
            (0, CROWN + 12),
            (0.55 * w, CROWN + 22),
            (0.92 * w, CROWN + 72),
            (w, EYES - 14),
            (0.97 * w, EYES + 40),
            (0.86 * w * jaw**0.5, EYES + 84),
            (0.62 * w * jaw, chin - 32),
            (0.3 * w * jaw, chin - 5),
            (0, chin),
        ],
    )


def head(canvas: Canvas, face: Looks) -> list[Point]:
    """Ears and the lit head; returns its outline."""
    shade = mix(face.skin, (84, 34, 20), 0.42)
    for side in (-1, 1):
        ear = ellipse(MIDDLE + side * (face.face_width + 4), EYES + 18, 12, 30)
        canvas.fill(ear, mix(face.skin, shade, 0.35))
        canvas.fill(
            ellipse(MIDDLE + side * (face.face_width + 5), EYES + 16, 5, 18), shade, blur=3, opacity=0.7
        )
    outline = outline_of(face)
    skin = canvas.mask(outline)
    canvas.cover(skin, face.skin)
    # Light from the upper left: shade on the right and below, a little shine on brow and cheekbone.
    for x, y, half_width, half_height, opacity in (
        (MIDDLE + face.face_width + 8, 280, 42, 130, 0.75),
        (MIDDLE - face.face_width - 16, 300, 34, 120, 0.5),
        (MIDDLE, CHIN + 14, 80, 32, 0.6),
        (MIDDLE, CROWN + 20, 100, 36, 0.35),
    ):
        canvas.fill(ellipse(x, y, half_width, half_height), shade, blur=18, opacity=opacity, within=skin)
    shine = mix(face.skin, (255, 244, 228), 0.6)
    canvas.fill(ellipse(MIDDLE - 18, 186, 52, 24), shine, blur=16, opacity=0.55, within=skin)
    for side in (-1, 1):
        cheek = ellipse(MIDDLE + side * 52, 302, 24, 17)
        canvas.fill(cheek, mix(face.skin, (206, 84, 70), 0.4), blur=13, opacity=0.45, within=skin)
        canvas.fill(ellipse(MIDDLE + side * 56 - 4, 284, 20, 8), shine, blur=8, opacity=0.4, within=skin)
    return outline


def brows_and_eyes(canvas: Canvas, face: Looks, *, lashes: bool) -> None:
    """Eyes with lids and brows; women's have lashes."""
    shade = mix(face.skin, (70, 30, 22), 0.55)
    for side in (-1, 1):
        x, size = MIDDLE + side * face.eye_spacing, face.eye_size
        outer, inner = side * 20 * size, -side * 18 * size
        lift = -face.eye_tilt
        canvas.fill(ellipse(x, EYES - 2, 27 * size, 15 * size), shade, blur=7, opacity=0.45)
        eye: list[Point] = [
            (x + inner, EYES + 3),
            (x + inner * 0.45, EYES - 6.5 * size),
            (x + outer * 0.35, EYES - 8 * size + lift / 2),
            (x + outer, EYES + lift),
            (x + outer * 0.45, EYES + 6.5 * size),
            (x + inner * 0.5, EYES + 6.5 * size),
        ]
        opening = canvas.mask(eye)
        canvas.cover(opening, (244, 240, 236))
        canvas.fill(ellipse(x, EYES - 1, 9.5 * size, 9.5 * size), (46, 27, 18), within=opening)
        canvas.fill(ellipse(x, EYES - 1, 4.4 * size, 4.4 * size), BLACK, within=opening)
        canvas.fill(ellipse(x - 3, EYES - 4, 2.2, 2.2), WHITE, within=opening)
        canvas.fill(ellipse(x, EYES - 9 * size, 24 * size, 4), BLACK, blur=3, opacity=0.35, within=opening)
        lid = [eye[0], eye[1], eye[2], eye[3]]
        canvas.stroke(lid, BLACK, 3.6 if lashes else 2.6, taper=0.6, opacity=0.9)
        if lashes:
            canvas.stroke([eye[2], eye[3], (x + outer + side * 5, EYES + lift - 4)], BLACK, 2.4, taper=0.8)
        crease = [(a, b - 6) for a, b in lid]
        canvas.stroke(crease, shade, 2.0, blur=0.8, opacity=0.7)
        canvas.stroke([eye[3], eye[4], eye[5], eye[0]], shade, 1.6, blur=0.7, opacity=0.7)
        brow_y = EYES - 30
        arch = 4 if lashes else 1.5
        brow: list[Point] = [
            (x - side * 23, brow_y + arch),
            (x - side * 4, brow_y - arch + 1),
            (x + side * 14, brow_y - arch),
            (x + side * 29, brow_y + arch + 2),
        ]
        color = mix(face.hair, face.skin, 0.12)
        canvas.stroke(brow, color, 8.5 * face.brow, taper=0.75, blur=1.4, opacity=0.85)


def nose(canvas: Canvas, face: Looks) -> None:
    """Bridge, tip, wings and nostrils."""
    tip = EYES + 62 * face.nose_length
    shade = mix(face.skin, (84, 34, 20), 0.55)
    w = face.nose_width
    canvas.stroke(
        [(MIDDLE + 10, EYES - 4), (MIDDLE + 11, EYES + 24), (MIDDLE + 0.55 * w, tip - 8)],
        shade,
        8,
        blur=5,
        opacity=0.5,
    )
    canvas.stroke([(MIDDLE - 13, EYES - 8), (MIDDLE - 10, EYES + 12)], shade, 6, blur=5, opacity=0.35)
    canvas.stroke(
        [(MIDDLE - 2, EYES - 2), (MIDDLE - 2, tip - 8)],
        mix(face.skin, (255, 244, 228), 0.65),
        8,
        blur=4,
        opacity=0.55,
    )
    canvas.fill(ellipse(MIDDLE, tip + 7, 0.9 * w, 8), shade, blur=6, opacity=0.45)
    for side in (-1, 1):
        wing: list[Point] = [
            (MIDDLE + side * 0.72 * w, tip - 10),
            (MIDDLE + side * w, tip - 1),
            (MIDDLE + side * 0.8 * w, tip + 8),
        ]
        canvas.stroke(wing, shade, 2.8, blur=1.0, opacity=0.75)
        canvas.fill(ellipse(MIDDLE + side * 0.45 * w, tip + 6, 5.5, 2.6), (58, 24, 18), blur=1.2, opacity=0.8)


def mouth(canvas: Canvas, face: Looks, *, painted: bool) -> None:
    """Lips."""
    y, w, full = 336.0, face.mouth_width, face.lips
    color = mix(face.skin, (150, 40, 48), 0.62 if painted else 0.4)
    corner = y - face.smile
    upper = mirrored(MIDDLE, [(0, y - 6 * full), (0.26 * w, y - 9 * full), (w, corner), (0, y + 2)])
    lower = mirrored(MIDDLE, [(0, y), (w * 0.96, corner + 1), (0.5 * w, y + 11 * full), (0, y + 13 * full)])
    canvas.fill(lower, mix(color, WHITE, 0.08), blur=0.6)
    canvas.fill(upper, mix(color, BLACK, 0.16), blur=0.6)
    canvas.fill(ellipse(MIDDLE - 3, y + 6.5 * full, 0.4 * w, 2.6), WHITE, blur=3, opacity=0.3)
    line: list[Point] = [
        (MIDDLE - w, corner),
        (MIDDLE - 0.3 * w, y),
        (MIDDLE, y + 1),
        (MIDDLE + 0.3 * w, y),
        (MIDDLE + w, corner),
    ]
    canvas.stroke(line, mix(color, BLACK, 0.62), 2.2, taper=0.7, blur=0.4)
    canvas.fill(ellipse(MIDDLE, y + 21 * full, 22, 5), mix(face.skin, BLACK, 0.4), blur=5, opacity=0.5)


def wrinkles(canvas: Canvas, face: Looks) -> None:
    """Lines of age on forehead, around the eyes and beside the mouth."""
    if face.wrinkles < 0.15:
        return
    shade, strength = mix(face.skin, (70, 30, 22), 0.6), 0.65 * face.wrinkles
    for side in (-1, 1):
        fold: list[Point] = [
            (MIDDLE + side * 34, 306),
            (MIDDLE + side * 46, 324),
            (MIDDLE + side * 52, 346),
        ]
        canvas.stroke(fold, shade, 2.6, blur=1.4, opacity=strength)
        x = MIDDLE + side * face.eye_spacing
        canvas.stroke(
            [(x - side * 16, EYES + 15), (x, EYES + 20), (x + side * 17, EYES + 14)],
            shade,
            2.2,
            blur=1.4,
            opacity=strength,
        )
        canvas.stroke(
            [(x + side * 26, EYES + 2), (x + side * 35, EYES - 3)], shade, 1.6, blur=0.8, opacity=strength
        )
        canvas.stroke(
            [(x + side * 26, EYES + 5), (x + side * 35, EYES + 8)], shade, 1.6, blur=0.8, opacity=strength
        )
    for k in range(2 if face.wrinkles < 0.7 else 3):
        y = 190.0 - 13 * k
        canvas.stroke(
            [(MIDDLE - 42, y + 2), (MIDDLE, y - 2), (MIDDLE + 42, y + 2)],
            shade,
            1.8,
            blur=1.2,
            opacity=0.7 * strength,
        )
