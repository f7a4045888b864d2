"""The chapters of a study's report in the order they are read; figures and tables name theirs by its key."""

from typing import NamedTuple


class Chapter(NamedTuple):
    title: str
    lead: str


CHAPTERS = {
    "overview": Chapter(
        "At a glance",
        "Every exponent of the study with its interval, and the error curves that some of them are fitted to.",
    ),
    "curves": Chapter(
        "Adversarial error against ε",
        "Adversarial error is clean minus adversarial accuracy; ε is in pixel units of [0, 255]. As a law it is A·ε^B "
        "as ε → 0: B is estimated with a smooth factor that lets the curve bend, from images broken or, where an "
        "attack does not know the label, from those broken less those repaired. As printed it is the papers' straight "
        "line through the log-log points of the whole range. The mean slope is that of the range too, with every error "
        "of the same weight; it is shown and never judged.",
    ),
    "shuffled": Chapter(
        "Shuffled labels",
        "A net that fits shuffled labels has learnt nothing that holds for other images; it is attacked on its own "
        "training images, at several states of training.",
    ),
    "theory": Chapter(
        "The theory: clean logits predict the error",
        "Logits respond linearly to a small perturbation, an image flips when the gap Δ₁₂ between its two largest "
        "logits has closed, and the share of images with small gaps is that of sorted random numbers.",
    ),
    "blind": Chapter(
        "Attacks that do not know the label",
        "Near a tie such an attack repairs nearly as many images as it breaks, and some close the gap more slowly "
        "there.",
    ),
    "defences": Chapter(
        "Defended nets",
        "In the worst case an image is right only if it stays right under every attack that was run.",
    ),
    "population": Chapter(
        "Sampled nets",
        "Architectures drawn at random, trained alike and attacked on the same images.",
    ),
    "variants": Chapter(
        "Variants of one net",
        "Each net differs from its set's base in what its name says, and is compared with a declared baseline on the "
        "same images. Intervals are over images alone: two trainings that differ in their seed differ by more.",
    ),
    "others": Chapter("Other figures", ""),  # of files in the folder that no module draws
}
