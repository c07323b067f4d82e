from .calibrate import study_spec as study_spec
from .run import about as about
from .run import run_worlds as run_worlds
from .run import work_of as work_of
from .verdicts import judge_calibration as judge_calibration
from .verdicts import judge_ranks as judge_ranks
from .verdicts import places_of as places_of
from .workers import connect as connect
