from .compilation import compile_evidence as compile_evidence
from .history import compile_history as compile_history
from .resolution_rules import clause_holds as clause_holds
from .resolution_rules import heard_until as heard_until
from .resolution_rules import what_it_records as what_it_records
