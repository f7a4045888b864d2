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
        "Adversarial error is clean minus adversarial accuracy; ε is in pixel units, from 0 to 255. The exponent as a "
        "law is B in A·ε^B as ε → 0, fitted with a smooth factor that lets the curve bend. The exponent as printed is "
        "the slope of the papers' straight line through the log-log points of the whole range. The mean slope covers "
        "that range too and weighs every error alike; it decides no verdict.",
    ),
    "imagenet": Chapter(
        "Published nets on photographs: ImageNet",
        "Nets that others trained, attacked as published; a net that stands in for one of the paper's says for which. "
        "Claims about ImageNet are judged on the paper's own nets and on validation images alone: on a sample, or on "
        "other nets, what is found is shown as an analogue. An easy selection of images makes every accuracy larger "
        "than the published one.",
    ),
    "shuffled": Chapter(
        "Shuffled labels",
        "A net that fits shuffled labels has learnt nothing about other images, so the attacks change its own training "
        "images, at several states of training.",
    ),
    "theory": Chapter(
        "The theory: clean logits predict the error",
        "Logits respond linearly to a small perturbation; an image flips when the gap Δ₁₂ between its two largest "
        "logits closes; and the gaps of a net are distributed near zero as those of sorted random numbers.",
    ),
    "blind": Chapter(
        "Attacks that do not know the label",
        "Near a tie such an attack repairs nearly as many images as it breaks, and some of these attacks close the gap "
        "more slowly there.",
    ),
    "defences": Chapter(
        "Defended nets",
        "In the worst case an image counts as right only if the net stays right under every attack.",
    ),
    "search": Chapter(
        "Architectures found by search",
        "A controller draws cells and learns from the accuracy of small nets made of them, its children; as many cells "
        "are drawn at random. The best cell of a search is made into a larger net. The paper shows no random search.",
    ),
    "population": Chapter(
        "Sampled nets",
        "The architectures were drawn at random; all nets were trained alike and attacked on the same images.",
    ),
    "variants": Chapter(
        "Variants of one net",
        "A net's name says how it differs from the base of its set. Each is compared with its baseline on the same "
        "images. Intervals cover the choice of images alone; two seeds of one training differ by more.",
    ),
    "kurakin": Chapter(
        "Kurakin's tables and figures",
        "Each table has the paper's rows and columns; a cell is the paper's number | ours with its 95 % interval over "
        "images. The paper attacks Inception v3 on ImageNet, these nets are small and see small images: signs, orders "
        "and ratios can be compared, levels cannot. Where nets were trained again with other seeds, claims also count "
        "how far that alone moves a number.",
    ),
    "others": Chapter("Other figures", ""),  # of files in the folder that no module draws
}
