"""Cat or dog? What a model of ImageNet's 1,000 classes says about it, by adding up its cats and its dogs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ekiben_client import Label

CATS = frozenset({"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat"})
"""Classes 281 to 285."""

BREEDS = """
Chihuahua, Japanese spaniel, Maltese dog, Pekinese, Shih-Tzu, Blenheim spaniel, papillon, toy terrier, Rhodesian
ridgeback, Afghan hound, basset, beagle, bloodhound, bluetick, black-and-tan coonhound, Walker hound, English
foxhound, redbone, borzoi, Irish wolfhound, Italian greyhound, whippet, Ibizan hound, Norwegian elkhound, otterhound,
Saluki, Scottish deerhound, Weimaraner, Staffordshire bullterrier, American Staffordshire terrier, Bedlington terrier,
Border terrier, Kerry blue terrier, Irish terrier, Norfolk terrier, Norwich terrier, Yorkshire terrier, wire-haired
fox terrier, Lakeland terrier, Sealyham terrier, Airedale, cairn, Australian terrier, Dandie Dinmont, Boston bull,
miniature schnauzer, giant schnauzer, standard schnauzer, Scotch terrier, Tibetan terrier, silky terrier, soft-coated
wheaten terrier, West Highland white terrier, Lhasa, flat-coated retriever, curly-coated retriever, golden retriever,
Labrador retriever, Chesapeake Bay retriever, German short-haired pointer, vizsla, English setter, Irish setter,
Gordon setter, Brittany spaniel, clumber, English springer, Welsh springer spaniel, cocker spaniel, Sussex spaniel,
Irish water spaniel, kuvasz, schipperke, groenendael, malinois, briard, kelpie, komondor, Old English sheepdog,
Shetland sheepdog, collie, Border collie, Bouvier des Flandres, Rottweiler, German shepherd, Doberman, miniature
pinscher, Greater Swiss Mountain dog, Bernese mountain dog, Appenzeller, EntleBucher, boxer, bull mastiff, Tibetan
mastiff, French bulldog, Great Dane, Saint Bernard, Eskimo dog, malamute, Siberian husky, dalmatian, affenpinscher,
basenji, pug, Leonberg, Newfoundland, Great Pyrenees, Samoyed, Pomeranian, chow, keeshond, Brabancon griffon,
Pembroke, Cardigan, toy poodle, miniature poodle, standard poodle, Mexican hairless
"""

DOGS = frozenset(" ".join(BREEDS.split()).split(", "))
"""Classes 151 to 268."""


@dataclass(frozen=True)
class Verdict:
    """How much of the whole probability lies with cats, and with dogs; each 0 to 1."""

    cat: float
    dog: float

    @property
    def either(self) -> float:
        return min(1.0, self.cat + self.dog)

    @property
    def cat_of_two(self) -> float:
        """How likely a cat, if it is one of the two. Half where nothing speaks for either."""
        return self.cat / (self.cat + self.dog) if self.cat + self.dog else 0.5

    @property
    def sentence(self) -> str:
        if self.either < 0.5:
            return f"Probably neither: only {self.either:.0%} speaks for a cat or a dog."
        animal, share = ("cat", self.cat_of_two) if self.cat_of_two >= 0.5 else ("dog", 1 - self.cat_of_two)
        return f"A {animal}." if share > 0.9 else f"Rather a {animal}."


def verdict(labels: Iterable[Label]) -> Verdict:
    """Needs the scores of all classes: what is left out counts as 0."""
    cat = dog = 0.0
    for each in labels:
        cat += each.score if each.label in CATS else 0.0
        dog += each.score if each.label in DOGS else 0.0
    return Verdict(cat, dog)
