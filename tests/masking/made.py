"""Texts with personal data made by Faker, and texts with what only looks like it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from faker import Faker

from tasks.masking.checksums import luhn, resident

LOCALES = ("en_US", "en_GB", "zh_CN")
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
SHARE_IN_FULL_WIDTH = 0.2

SENTENCES = {
    "en": {
        "email": ["Write to {} before Friday.", "{} never answered me", "cc: {}, thanks", "<{}>",
                  "My address ({}) has changed; please update it.", "I am {}!"],
        "phone": ["Call me on {} after six.", "My number is {}, ask for Sue.", "{}",
                  "you can reach him at {}", "It rang from {} again, twice in one night",
                  "The courier left {} on a note.", "Tel. {}", "WhatsApp:{}"],
        "card": ["My card is {} and it was charged twice.", "They took it from {} again",
                 "paid with {} exp 05/27", "Visa {}, cvv on request", "{}"],
        "id": ["My SSN or insurance number is {}.", "The form says {}, is that right?", "{}",
               "Please file it under {} for the tax year", "IBAN/ID: {}"],
        "ip": ["Someone logged in from {} last night.", "blocked {} after five tries",
               "ping {} times out", "My address {} was banned", "The host at {} is down."],
    },
    "zh": {
        "email": ["请发到{}谢谢", "我的邮箱是{}，请尽快回复。", "联系{}即可", "{}一直没有回信"],
        "phone": ["请拨打{}联系我", "我的手机号是{}，晚上再打。", "{}是我的电话", "收件人王先生{}",
                  "昨晚{}又打来两次", "微信同号：{}"],
        "card": ["我的卡号是{}，被扣了两次款。", "请退到{}这张卡", "用{}付的款", "银行卡：{}"],
        "id": ["身份证号{}已经登记。", "我的证件号码是{}，请核对", "{}", "乘客信息：{}，成人票"],
        "ip": ["昨晚有人从{}登录了我的账号", "服务器{}连不上", "屏蔽了{}这个地址",
               "{}一直在扫描端口"],
    },
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A text, what it should become, and where it comes from: a locale, a kind or a look-alike."""

    text: str
    expected: str
    locale: str
    kind: str


def personal(texts: int, seed: int) -> list[Made]:
    """As many texts with one piece of personal data each, over all locales and kinds."""
    draw = random.Random(seed)
    fakers = {locale: Faker(locale) for locale in LOCALES}
    for faker in fakers.values():
        faker.seed_instance(seed)
    found = []
    for number in range(texts):
        locale = LOCALES[number % 3]
        kind = list(SENTENCES["en"])[number // 3 % 5]
        value = _VALUES[kind](fakers[locale], locale, draw)
        if locale == "zh_CN" and kind != "email" and draw.random() < SHARE_IN_FULL_WIDTH:
            value = value.translate(FULL_WIDTH)
        sentence = draw.choice(SENTENCES[locale[:2]][kind])
        expected = sentence.format(f"[{kind.upper()}]")
        found.append(Made(sentence.format(value), expected, locale, kind))
    return found


def _email(faker: Faker, _: str, draw: random.Random) -> str:
    make = draw.choice([faker.email, faker.free_email, faker.company_email, faker.ascii_email])
    return str(make())


def _phone(faker: Faker, locale: str, draw: random.Random) -> str:
    if locale == "en_GB" and draw.random() < 0.3:
        return str(faker.cellphone_number())
    number = str(faker.phone_number())
    if locale == "zh_CN" and draw.random() < 0.5:
        return draw.choice([
            f"+86 {number}", f"{number[:3]}-{number[3:7]}-{number[7:]}",
            f"{number[:3]} {number[3:7]} {number[7:]}", f"010-6{number[4:]}", f"0755-8{number[4:]}",
        ])  # fmt: skip
    return number


def _card(faker: Faker, _: str, draw: random.Random) -> str:
    number = str(faker.credit_card_number())
    separator = draw.choice(["", " ", "-"])
    if len(number) == 16:
        return separator.join(number[at : at + 4] for at in range(0, 16, 4))
    return number


def _identity(faker: Faker, locale: str, draw: random.Random) -> str:
    if locale == "en_GB" and draw.random() < 0.5:
        number = str(faker.iban())
        return draw.choice([number, " ".join(number[at : at + 4] for at in range(0, 22, 4))])
    if locale == "en_GB" and draw.random() < 0.5:  # Faker's begin with ZZ, which nobody's do
        digits = [f"{draw.randrange(100):02}" for _ in range(3)]
        parts = [draw.choice(["AB", "CE", "JN", "PX"]), *digits, draw.choice("ABCD")]
        return draw.choice(["", " "]).join(parts)
    if locale == "en_US" and draw.random() < 0.2:
        return str(faker.itin())
    return str(faker.ssn())


def _internet(faker: Faker, _: str, draw: random.Random) -> str:
    return str(draw.choice([faker.ipv4, faker.ipv4_private, faker.ipv6])())


_VALUES: dict[str, Callable[[Faker, str, random.Random], str]] = {
    "email": _email,
    "phone": _phone,
    "card": _card,
    "id": _identity,
    "ip": _internet,
}


def look_alikes(texts: int, seed: int) -> list[Made]:
    """As many texts without personal data, half English and half Chinese, of every family."""
    draw = random.Random(f"look-alikes {seed}")
    faker = Faker("en_GB")
    faker.seed_instance(seed)
    found = []
    for number in range(texts):
        language = ("en", "zh")[number % 2]
        names = list(_FAMILIES)
        name = names[number // 2 % len(names)]
        value, english, chinese = _FAMILIES[name](faker, draw)
        text = draw.choice(english if language == "en" else chinese).format(value)
        found.append(Made(text, text, language, name))
    return found


Family = tuple[str, list[str], list[str]]


def _digits(draw: random.Random, count: int, first: str = "123456789") -> str:
    return draw.choice(first) + "".join(draw.choice("0123456789") for _ in range(count - 1))


def _order(_: Faker, draw: random.Random) -> Family:
    number = _digits(draw, draw.choice([8, 10, 11, 12, 16]))
    return (
        draw.choice([number, f"{number[:3]}-{number[3:6]}-{number[6:10]}"]),
        ["My order {} never came", "Order no. {} is late", "invoice #{} was paid",
         "where is {}? It is my order number", "Ticket {}: no answer", "ref ORD-{}"],
        ["订单{}还没到", "我的订单号是{}，请查询", "发票编号：{}", "{}是我的订单号"],
    )  # fmt: skip


def _price(_: Faker, draw: random.Random) -> Family:
    amount = draw.randrange(10**6, 10**10)
    shown = draw.choice([f"{amount:,}", f"{amount / 100:,.2f}", f"{amount}"])
    return (
        shown,
        ["It cost ${} in all", "a total of £{} for three", "€{} is too much", "price: {} dollars"],
        ["一共{}元", "总价¥{}，太贵了", "金额{}", "{}块钱"],
    )


def _date(faker: Faker, draw: random.Random) -> Family:
    form = draw.choice(["%Y-%m-%d", "%d/%m/%Y", "%m.%d.%Y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S",
                        "%d %B %Y %H:%M:%S", "%Y/%m/%d %H:%M", "%Y%m%d%H%M%S"])  # fmt: skip
    return (
        faker.date_time().strftime(form),
        [
            "Bought on {}, broken a week later",
            "due {}",
            "{} was the last time",
            "since {} it fails",
        ],
        ["{}购买的，一周就坏了", "截止{}", "从{}开始就不行", "日期：{}"],
    )


def _time(_: Faker, draw: random.Random) -> Family:
    hour, minute, second = draw.randrange(24), draw.randrange(60), draw.randrange(60)
    whole = f"{hour:02}:{minute:02}:{second:02}"
    shown = draw.choice([whole, f"{hour:02}:{minute:02}", f"{whole}.{draw.randrange(1000):03}"])
    return (
        shown,
        ["It starts at {} sharp", "open {} to 23:00", "the scene at {} is dull", "{} and no bus"],
        ["{}准时开始", "影片{}处很无聊", "营业时间{}至23:00", "等到{}还没来"],
    )


def _version(_: Faker, draw: random.Random) -> Family:
    parts = [str(draw.randrange(limit)) for limit in (20, 30, 60, 300)]
    return (
        ".".join(parts[: draw.choice([3, 4, 4])]),
        ["version {} crashes", "since I upgraded to {} it is slow", "v{} is out", "see section {}",
         "firmware {} broke my router", "app version: {}"],
        ["版本{}总是闪退", "升级到{}以后很慢", "固件{}有问题", "见条款{}", "v{}发布了"],
    )  # fmt: skip


def _isbn(faker: Faker, draw: random.Random) -> Family:
    number = draw.choice([faker.isbn13(), faker.isbn10(), faker.isbn13(separator="")])
    return (
        number,
        ["ISBN {}, second edition", "the book ({}) is out of print", "look for ISBN: {}"],
        ["书号{}已绝版", "这本书ISBN {}写得好", "ISBN：{}"],
    )


def _tracking(_: Faker, draw: random.Random) -> Family:
    number = _digits(draw, 10)
    return (
        draw.choice([f"1Z999AA1{number}", f"SF{number}123", f"RR{number[:9]}CN", number,
                     f"94{_digits(draw, 20)}", f"{number[:4]} {number[4:8]} {_digits(draw, 4)}"]),
        ["tracking {} says delivered", "parcel {} is lost", "Tracking number: {}"],
        ["快递单号{}显示已签收", "运单{}丢了", "{}是快递单号"],
    )  # fmt: skip


def _hash(faker: Faker, draw: random.Random) -> Family:
    return (
        str(draw.choice([faker.md5, faker.sha1, faker.sha256, faker.uuid4])()),
        ["commit {} broke it", "its checksum is {}", "{} in the log"],
        ["校验值是{}", "日志里有{}", "提交{}以后坏了"],
    )


def _sum(_: Faker, draw: random.Random) -> Family:
    one, two = _digits(draw, draw.choice([3, 6, 10])), _digits(draw, draw.choice([2, 4, 10]))
    sign = draw.choice("+*/=-")
    return (
        f"{one} {sign} {two}",
        ["what is {}?", "{} is easy", "he wrote {} on the board"],
        ["{}等于多少", "请计算{}", "黑板上写着{}"],
    )


def _years(_: Faker, draw: random.Random) -> Family:
    first = draw.randrange(1800, 2020)
    shown = draw.choice([f"{first}-{first + 7}", f"{first} {first + 1} {first + 2}",
                         f"{first}/{first + 1}-{first + 4}", f"{first}–{first + 12}"])  # fmt: skip
    return (
        shown,
        ["The years {} were the best", "he reigned {}", "the {} season", "in {} nothing happened"],
        ["{}年是最好的时光", "在{}年间", "{}赛季", "任期{}年"],
    )


def _device(faker: Faker, draw: random.Random) -> Family:
    size = f"{draw.randrange(100, 4000)}x{draw.randrange(100, 4000)}"
    place = f"{draw.uniform(0, 90):.6f}, {draw.uniform(0, 180):.6f}"
    return (
        str(draw.choice([faker.mac_address(), size, place, f"192.168.{draw.randrange(300, 999)}"])),
        ["the label says {}", "set it to {}", "found near {}"],
        ["标签上写着{}", "设为{}", "在{}附近"],
    )


def _at(faker: Faker, draw: random.Random) -> Family:
    parts = ".".join(str(draw.randrange(20)) for _ in range(3))
    word = faker.word()
    return (
        draw.choice([f"@{word}", f"{word}@{parts}", f"{word}@2x.png", f"{word} @ home", "@property",
                     f"{draw.randrange(9)} @ {draw.randrange(99)}.50"]),
        ["thanks {} for this", "npm i {}", "see {}"],
        ["感谢{}", "安装{}", "看看{}"],
    )  # fmt: skip


def _wrong_sum(_: Faker, draw: random.Random) -> Family:
    """Sixteen or eighteen digits that only the check digit tells from a card or a resident."""
    while True:
        card = _digits(draw, 16, "45")
        person = f"11010119{_digits(draw, 2)}0307{_digits(draw, 4)}"
        if not luhn(card) and not resident(person) and not luhn(person):
            break
    return (
        draw.choice([card, person]),
        ["{} is what it prints", "the code {} was refused", "I typed {} by mistake"],
        ["屏幕显示{}", "输入{}后被拒绝", "打印出来是{}"],
    )


def _count(_: Faker, draw: random.Random) -> Family:
    return (
        _digits(draw, draw.choice([10, 13]), "1"),
        ["the timestamp {} is wrong", "it logs {} each time", "population {} by now"],
        ["时间戳{}不对", "人口{}", "每次都记录{}"],
    )


_FAMILIES: dict[str, Callable[[Faker, random.Random], Family]] = {
    "order": _order,
    "price": _price,
    "date": _date,
    "time": _time,
    "version": _version,
    "isbn": _isbn,
    "tracking": _tracking,
    "hash": _hash,
    "sum": _sum,
    "years": _years,
    "device": _device,
    "at": _at,
    "wrong check digit": _wrong_sum,
    "count": _count,
}
