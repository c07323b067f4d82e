from .compilation import compile_evidence as compile_evidence
from .history import compile_history as compile_history
from .resolution_rules import clauses_hold as clauses_hold
from .resolution_rules import heard_until as heard_until
from .resolution_rules import what_it_records as what_it_records
from .spell_timelines import read_spells as read_spells
from .spell_timelines import summary as summary
from .spell_timelines import timelines as timelines
