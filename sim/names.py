"""Names as Indonesians bear them: single ones, patronymics, clan names, birth-order names, long modern ones.

A tradition is a way of naming, with the religions common among those who follow it and the provinces where
many of them live. The lists are short on purpose; what matters here is the variety of *forms* that a card and
a search must cope with (one word, six words, "I GUSTI NGURAH", clan names after the given name).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True)
class Tradition:
    """One way of naming.

    Attributes:
        men: given names of men, titles first: where a person has several, they keep this order.
        women: given names of women, likewise.
        last: names that stand at the end, for all (clans, surnames) or, where `last_women` is given, for men.
        last_women: feminine forms of `last`; None where both sexes bear the same.
        words: odds of one, two, three … given names before the last one.
        last_share: share of people who bear a name from `last`.
        religions: odds of each religion, by the contract's name without its prefix.
    """

    men: Sequence[str]
    women: Sequence[str]
    words: Sequence[float]
    religions: Mapping[str, float]
    last: Sequence[str] = ()
    last_women: Sequence[str] | None = None
    last_share: float = 1.0


def _words(text: str) -> Sequence[str]:
    return text.split()


_FIRST_MODERN_YEAR: Final = 1988
"""Long names of mixed origin came into fashion about then; older people bear those of their tradition."""

_MUSLIM: Final = {"ISLAM": 1.0}

TRADITIONS: Final[Mapping[str, Tradition]] = {
    "javanese": Tradition(
        men=_words(
            "Sutrisno Suparno Wagimin Sugeng Slamet Budi Agus Joko Bambang Eko Dwi Tri Heru Wahyu "
            "Rudi Hari Teguh Bayu Dimas Aji Galih Yoga Rizky Andi Fajar Ngatiman Paijo Widodo"
        ),
        women=_words(
            "Sumarni Suparti Tumini Wagiyem Sri Siti Endang Dwi Tri Retno Wahyu Dewi Ratna Indah "
            "Putri Ayu Rini Nur Anisa Dyah Lestari Kartika Ningsih Sulastri Fitri Mega Puji"
        ),
        last=_words(
            "Santoso Wibowo Nugroho Prasetyo Setiawan Kurniawan Saputro Utomo Hidayat Purnomo Susilo "
            "Raharjo Hartono Wicaksono Handoko"
        ),
        last_women=_words(
            "Rahayu Wulandari Lestari Handayani Astuti Setyowati Kusumawati Widyastuti Purwanti Utami "
            "Susanti Pratiwi Anggraini Wijayanti Hidayati"
        ),
        words=(0.72, 0.28),
        last_share=0.72,
        religions={"ISLAM": 0.93, "PROTESTANT": 0.03, "CATHOLIC": 0.03, "BELIEF": 0.01},
    ),
    "sundanese": Tradition(
        men=_words(
            "Asep Ujang Dadang Cecep Dedi Deden Yayan Iwan Hendra Rahmat Ade Encep Agus Yana Gilang "
            "Rizal Ridwan Fauzan Aep Entis Tatang Nana Maman Oman"
        ),
        women=_words(
            "Euis Neneng Nenden Eneng Lilis Yayah Iis Imas Ai Tini Rina Dewi Siti Nurul Tuti Cucu "
            "Elis Mimin Nia Rahma Wida Yeti Popon"
        ),
        last=_words(
            "Sutisna Hidayat Suherman Kurnia Permana Ramdani Setiadi Gunawan Sopandi Mulyana "
            "Supriatna Nugraha Rustandi Koswara Somantri"
        ),
        last_women=_words(
            "Nurhayati Suryani Rohaeti Kurniasih Sumiati Maryati Komalasari Rosmiati Nuraeni Sukaesih "
            "Puspitasari Rahmawati Yulianti Juariah"
        ),
        words=(0.8, 0.2),
        last_share=0.78,
        religions={"ISLAM": 0.985, "PROTESTANT": 0.01, "BELIEF": 0.005},
    ),
    "betawi": Tradition(
        men=_words(
            "Abdul Muhammad Ahmad Saiful Nasir Rojali Mursidi Sanusi Namin Jaelani Mahfud Marzuki "
            "Rosyid Naim Sapri Madroji Hamdani"
        ),
        women=_words(
            "Siti Nur Rohani Maemunah Romlah Aminah Saodah Mardiyah Rodiyah Hamidah Masnah Munah "
            "Zubaedah Nani Jamilah Halimah"
        ),
        last=_words("Rohim Hakim Rahman Karim Fatah Azis Anwar Effendi Syarif Basri Mukhtar"),
        last_women=_words("Komariah Hasanah Fauziah Azizah Sakinah Aisyah Khodijah Maryam Latifah"),
        words=(0.75, 0.25),
        last_share=0.7,
        religions=_MUSLIM,
    ),
    "modern": Tradition(
        men=_words(
            "Muhammad Rafi Alvaro Zidan Arkan Fadhil Raka Daffa Naufal Athaya Rayhan Iqbal Farhan "
            "Ilham Akbar Rizky Haikal Kenzie Gibran Zaki"
        ),
        women=_words(
            "Aisyah Nabila Zahra Salsabila Aqila Putri Keisha Naura Kirana Alya Nayla Syifa Khanza "
            "Anindya Shafira Tiara Amanda Chelsea Raisa Zalfa"
        ),
        last=_words(
            "Alfarizi Pratama Ramadhan Nugraha Maulana Firmansyah Al-Ghifari Wijaya Hakim Ananda "
            "Saputra Abdillah"
        ),
        last_women=_words(
            "Azzahra Ramadhani Maharani Khairunnisa Putri Salsabila Permatasari Az-Zahra Nurfadillah "
            "Anggraeni Humaira"
        ),
        words=(0.22, 0.5, 0.2, 0.08),
        religions={"ISLAM": 0.95, "PROTESTANT": 0.03, "CATHOLIC": 0.02},
    ),
    "batak": Tradition(
        men=_words(
            "Parlindungan Hotman Binsar Jhonson Marulitua Tumpal Ronald Sahat Togar Poltak Saut "
            "Jonathan Daniel Andreas Mangara"
        ),
        women=_words(
            "Roslinda Tiurma Rotua Duma Lamria Ester Novita Debora Tetty Ruth Marlina Hotmauli "
            "Elisabeth Riama Christina"
        ),
        last=_words(
            "Siregar Nasution Simanjuntak Hutapea Sihombing Panjaitan Situmorang Lubis Sinaga "
            "Hutagalung Tampubolon Manurung Ginting Tarigan Harahap Silalahi"
        ),
        words=(0.55, 0.45),
        religions={"PROTESTANT": 0.62, "CATHOLIC": 0.1, "ISLAM": 0.28},
    ),
    "minang": Tradition(
        men=_words(
            "Afrizal Yusrizal Syafrizal Zulkifli Hendri Ilham Mardison Rinaldi Irwandi Fadli Erizal "
            "Jasman Nofrianto Zulfahmi"
        ),
        women=_words(
            "Yusnidar Elvi Nurbaiti Desmawati Yulinar Rahmi Asnidar Zulhelmi Mega Fitria Ermiati "
            "Suryati Gusnimar Ranti"
        ),
        last=_words("Chaniago Tanjung Koto Piliang Sikumbang Guci Jambak"),
        words=(0.6, 0.4),
        last_share=0.4,
        religions=_MUSLIM,
    ),
    "malay": Tradition(
        men=_words(
            "Teuku Said Tengku Raja Syahrul Khairul Zainal Iskandar Faisal Hasanuddin Junaidi "
            "Amiruddin Azhari Mukhlis Ibrahim"
        ),
        women=_words(
            "Cut Nurhaliza Syarifah Zuraidah Faridah Rosnah Salmah Nurjannah Maisarah Zahara Ainun "
            "Hafsah Rukiah Mariani"
        ),
        words=(0.3, 0.5, 0.2),
        religions=_MUSLIM,
    ),
    "balinese": Tradition(
        men=("I Wayan", "I Made", "I Nyoman", "I Ketut", "I Putu", "I Gusti Ngurah", "Ida Bagus", "I Kadek"),
        women=(
            "Ni Wayan",
            "Ni Made",
            "Ni Nyoman",
            "Ni Ketut",
            "Ni Putu",
            "I Gusti Ayu",
            "Ida Ayu",
            "Ni Kadek",
        ),
        last=_words(
            "Sudarma Suartana Widiana Arnawa Adnyana Sukerta Mahendra Yasa Wirawan Artha Subrata Dharma"
        ),
        last_women=_words("Sukarni Suartini Widiani Ariani Sukerti Mahayani Yasmini Wiratni Arthini Sugiani"),
        words=(1.0,),
        religions={"HINDU": 0.96, "ISLAM": 0.02, "BUDDHIST": 0.01, "PROTESTANT": 0.01},
    ),
    "bugis": Tradition(
        men=_words(
            "Andi Muhammad Baharuddin Syamsuddin Daeng Ambo Sirajuddin Hasrul Jumadil Nurdin "
            "Mappangara Rusdi Ansar Basri"
        ),
        women=_words(
            "Andi Hasnah Nurhayati Jumriani Besse Indo Rosmini Hasmawati Kasmawati Nurlaela Herlina "
            "Tenri Marwah"
        ),
        last=_words("Mappiasse Paturusi Tenriawaru Makkasau Palallo Mattalatta Pangerang"),
        words=(0.45, 0.55),
        last_share=0.3,
        religions={"ISLAM": 0.96, "PROTESTANT": 0.04},
    ),
    "eastern": Tradition(
        men=_words(
            "Yohanes Petrus Markus Yakobus Fransiskus Stefanus Melkianus Simon Paulus Oktovianus "
            "Ferdinandus Daud Welem Elias"
        ),
        women=_words(
            "Maria Yohana Agustina Martha Fransiska Yosefina Kristina Novela Welmince Dorkas Adriana "
            "Magdalena Yuliana Theresia"
        ),
        last=_words(
            "Latuconsina Pattinasarany Wenda Kogoya Rumbiak Tabuni Mandagi Rumengan Lewokeda Bria "
            "Nahak Tuhuteru Wonda Sahetapy Lengkong Soplanit Kaize"
        ),
        words=(0.5, 0.4, 0.1),
        religions={"PROTESTANT": 0.58, "CATHOLIC": 0.34, "ISLAM": 0.08},
    ),
    "chinese": Tradition(
        men=_words(
            "Hendra Andrianto Kevin Steven William Tjan Lie Tan Halim Edwin Sugiarto Rudy Jimmy Yohanes"
        ),
        women=_words(
            "Lina Meiliana Vivian Stephanie Lanny Mei Linda Felicia Jessica Yuliana Susana Erlina Grace"
        ),
        last=_words("Wijaya Gunawan Halim Tanuwijaya Salim Hartanto Kusuma Lim Susanto Setiadi Liem Sutanto"),
        words=(0.6, 0.4),
        religions={"BUDDHIST": 0.38, "PROTESTANT": 0.3, "CATHOLIC": 0.24, "CONFUCIAN": 0.06, "ISLAM": 0.02},
    ),
}

_JAVA_WEST: Final = {
    "sundanese": 0.44, "javanese": 0.17, "modern": 0.14, "betawi": 0.13, "batak": 0.05, "minang": 0.03,
    "chinese": 0.04,
}  # fmt: skip
_JAVA: Final = {"javanese": 0.8, "modern": 0.14, "chinese": 0.03, "sundanese": 0.02, "batak": 0.01}
_KALIMANTAN: Final = {
    "malay": 0.5,
    "javanese": 0.2,
    "modern": 0.12,
    "bugis": 0.08,
    "chinese": 0.06,
    "eastern": 0.04,
}
_EAST: Final = {"eastern": 0.75, "javanese": 0.08, "bugis": 0.1, "modern": 0.05, "chinese": 0.02}

_BY_PROVINCE: Final[Mapping[str, Mapping[str, float]]] = {
    "11": {"malay": 0.85, "modern": 0.12, "javanese": 0.03},
    "12": {"batak": 0.55, "javanese": 0.2, "malay": 0.13, "modern": 0.07, "chinese": 0.05},
    "13": {"minang": 0.88, "modern": 0.1, "batak": 0.02},
    "31": {"javanese": 0.32, "betawi": 0.27, "sundanese": 0.13, "modern": 0.12, "chinese": 0.07,
           "batak": 0.05, "minang": 0.04},
    "32": _JAVA_WEST,
    "36": _JAVA_WEST,
    "51": {"balinese": 0.86, "javanese": 0.09, "modern": 0.03, "chinese": 0.02},
    "52": {"malay": 0.7, "modern": 0.2, "balinese": 0.1},
}  # fmt: skip
_BY_ISLAND: Final[Mapping[str, Mapping[str, float]]] = {
    "1": {"malay": 0.5, "javanese": 0.25, "modern": 0.1, "minang": 0.07, "batak": 0.04, "chinese": 0.04},
    "2": {"malay": 0.55, "javanese": 0.15, "chinese": 0.15, "modern": 0.1, "batak": 0.05},
    "3": _JAVA,
    "5": _EAST,
    "6": _KALIMANTAN,
    "7": {"bugis": 0.6, "eastern": 0.2, "javanese": 0.08, "modern": 0.12},
    "8": _EAST,
    "9": _EAST,
}


def tradition(province: str, birth_year: int, rng: np.random.Generator) -> str:
    """Key in `TRADITIONS` of someone who lives in `province` (two digits)."""
    odds = _BY_PROVINCE.get(province) or _BY_ISLAND[province[0]]
    chosen = pick(odds, rng)
    if chosen == "modern" and birth_year < _FIRST_MODERN_YEAR:
        chosen = pick({key: share for key, share in odds.items() if key != "modern"}, rng)
    return chosen


def full_name(key: str, *, woman: bool, rng: np.random.Generator) -> str:
    """A name in capitals, as the civil registry writes it."""
    way = TRADITIONS[key]
    given = way.women if woman else way.men
    words = 1 + int(rng.choice(len(way.words), p=way.words))
    name = [given[k] for k in sorted(rng.choice(len(given), words, replace=False))]
    last = way.last_women if woman and way.last_women is not None else way.last
    if last and rng.random() < way.last_share:
        end = last[int(rng.integers(len(last)))]
        if end not in name:
            name.append(end)
    return " ".join(name).upper()


def pick(odds: Mapping[str, float], rng: np.random.Generator) -> str:
    """One key of `odds`, each with its share."""
    keys, shares = list(odds), np.array(list(odds.values()))
    return keys[int(rng.choice(len(keys), p=shares / shares.sum()))]
