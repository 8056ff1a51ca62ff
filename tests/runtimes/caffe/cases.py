"""One network of one layer for every type of layer and option, with what it must compute."""

from tests.runtimes.caffe.cases_order import ARRANGEMENTS
from tests.runtimes.caffe.cases_scaling import SCALINGS, SUMS
from tests.runtimes.caffe.cases_sequences import SEQUENCES
from tests.runtimes.caffe.cases_values import ACTIVATIONS, NORMALISATIONS
from tests.runtimes.caffe.cases_windows import CONVOLUTIONS, POOLINGS

CASES = [
    *(*CONVOLUTIONS, *POOLINGS, *ACTIVATIONS, *NORMALISATIONS, *SCALINGS),
    *(*SUMS, *ARRANGEMENTS, *SEQUENCES),
]
