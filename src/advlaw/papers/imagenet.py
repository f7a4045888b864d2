"""The ImageNet nets of the two papers, by timm's names, what is printed of them, and which nets of a study they are.

Figure 1 of Cubuk et al. is of Inception v3, v4 and Inception-ResNet v2, of ResNets v1 and v2, of NASNet-A, and of two
nets that Kurakin et al. trained on adversarial examples. Not all of their weights are to be had.
"""

import pandas as pd

VALIDATION, SAMPLE = "imagenet validation", "imagenet sample"  # what a data set may hold, by its params
ADVERSARIAL = ("adversarial", "ensemble adversarial")  # defences of published nets
NASNET = "nasnetalarge.tf_in1k"
CUBUK = {  # whose weights timm has; other nets stand in for the rest, and say so
    "inception_v3.tf_in1k": "Inception v3",
    "inception_v3.tf_adv_in1k": "Inception v3, adv. tr.",
    "inception_v4.tf_in1k": "Inception v4",
    "inception_resnet_v2.tf_in1k": "Inception-ResNet v2",
    NASNET: "NASNet-A",
}
KURAKIN = ("inception_v3.tf_in1k", "inception_v3.tf_adv_in1k")
EPS = (0.2, 8.0)  # at which nets are compared: Cubuk Sec. 1, and where training on adversarial examples helps
RANGES = {"fgsm": (0.9, 1.1), "step_ll": (1.8, 2.2)}  # of exponents, Cubuk Sec. 2
ERRORS = (0.1, 0.25)  # under FGSM at eps = 0.2, Cubuk Sec. 1
PRINTED_EPS = (0.01, 64.0)  # the axis of Fig. 1


def with_provenance(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with what their nets and images are, as the params declare it and not as they are called.

    of_imagenet: on images of ImageNet. is_cubuks, is_kurakins: on validation images, of a net of that paper that
    stands for itself. All false in a table that says nothing of it.
    """
    if "of_imagenet" in frame:
        return frame
    if not {"holds", "network", "stands_for"} <= set(frame):
        return frame.assign(of_imagenet=False, is_cubuks=False, is_kurakins=False)
    is_itself = (frame["holds"] == VALIDATION) & (frame["stands_for"] == "")
    return frame.assign(
        of_imagenet=frame["holds"].isin((VALIDATION, SAMPLE)),
        is_cubuks=is_itself & frame["network"].isin(tuple(CUBUK)),
        is_kurakins=is_itself & frame["network"].isin(KURAKIN),
    )
