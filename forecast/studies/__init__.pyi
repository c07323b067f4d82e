from .calibrate import study_spec as study_spec
from .cluster import connect as connect
from .judge import judge_calibration as judge_calibration
from .judge import judge_ranks as judge_ranks
from .judge import places_of as places_of
from .run import about as about
from .run import run_worlds as run_worlds
from .run import work_of as work_of
