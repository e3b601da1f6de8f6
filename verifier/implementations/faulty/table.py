"""The faulty implementations by name, and the finding that each of them has to cause.

Plain data: no implementation is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from verifier.contract import Guarantee

G = Guarantee


@dataclass(frozen=True, slots=True, kw_only=True)
class Faulty:
    """One faulty implementation: the mistake, the guarantee that it breaks, how that shows."""

    home: str
    """Module and class in this package."""
    mistake: str
    """What it does, in one sentence."""
    trap: str
    """The traps of ``docs/traps.md`` that it falls into; empty where none is about it."""
    breaks: Guarantee
    """The guarantee that it was made to break; others may break because of it."""
    title: str
    """How the title of the finding begins that names the cause."""
    scenario: str
    """Where it shows, as reports name it."""
    table: str = ""
    constraint: str = ""


_DUPLICATES = "merging::children_of_both_duplicates_reach_the_survivor"
_SAME_SLUGS = "merging::children_that_collide_once_their_parents_are_merged"
_OWN_ROWS = "first_load::target_with_rows_of_its_own"
_VARIANTS_FIRST = "ordering::variants_before_products_in_the_backup"
_ORPHANS = "refusal::orphan_variants_are_named"
_CUT = "interruption::backup_cut_off_on_the_way[0.7]"
_SHELL = "interruption::shell_command_in_the_backup"
_SEQUENCES = "structure::sequences_never_go_back"
_KEYLESS = "keys::tables_without_any_key"
_NUMBERS = "fidelity::numbers_to_their_last_digit"
_TEXTS = "fidelity::texts_that_look_like_sql_or_like_the_backup"
_TRIGGERS = "triggers::triggers_that_are_off_or_always_on_stay_so"

_COLLIDE = "source rows that collide on a unique key of the target have no survivor"
_DIFFERS = "a restored row differs from its source row"
_CATEGORY_KEY = "business_categories_businessType_domainId_name_key"
_VARIANT_PRODUCT = "product_variants_productId_fkey"

FAULTY: Mapping[str, Faulty] = MappingProxyType(
    {
        "faulty:drop-orphans": Faulty(
            home="claims:DropOrphans",
            mistake="Rows without a parent are left out without a word.",
            trap="O04",
            breaks=G.COMPLETENESS,
            title="a row that cannot be restored is not named",
            scenario=_ORPHANS,
            table="public.product_variants",
            constraint=_VARIANT_PRODUCT,
        ),
        "faulty:do-nothing": Faulty(
            home="matching:DoNothing",
            mistake="A bare ON CONFLICT DO NOTHING leaves rows that are there as old as they are.",
            trap="U04, H15",
            breaks=G.COMPLETENESS,
            title="the target still holds its own row instead of the source's",
            scenario=_OWN_ROWS,
        ),
        "faulty:rejects-the-batch": Faulty(
            home="claims:RejectsTheBatch",
            mistake="One bad row has every row of its table rejected.",
            trap="H02",
            breaks=G.COMPLETENESS,
            title="a row was rejected that the target can take",
            scenario=_ORPHANS,
            table="public.product_variants",
        ),
        "faulty:json-transport": Faulty(
            home="values:JsonTransport",
            mistake="Rows travel as JSON between programs whose numbers are floats.",
            trap="F06",
            breaks=G.FIDELITY,
            title=_DIFFERS,
            scenario=_NUMBERS,
            table="public.n",
        ),
        "faulty:empty-is-null": Faulty(
            home="values:EmptyIsNull",
            mistake="An empty text becomes NULL.",
            trap="H04",
            breaks=G.FIDELITY,
            title=_DIFFERS,
            scenario=_TEXTS,
            table="public.domains",
        ),
        "faulty:upsert-by-id": Faulty(
            home="matching:UpsertById",
            mistake="Rows are matched by primary key alone.",
            trap="U01",
            breaks=G.MERGING,
            title=_COLLIDE,
            scenario=_DUPLICATES,
            table="public.business_categories",
            constraint=_CATEGORY_KEY,
        ),
        "faulty:composite-upsert": Faulty(
            home="matching:CompositeUpsert",
            mistake="Rows are upserted by the composite key, and the id is overwritten.",
            trap="U03",
            breaks=G.MERGING,
            title=_COLLIDE,
            scenario=_DUPLICATES,
            table="public.business_categories",
            constraint=_CATEGORY_KEY,
        ),
        "faulty:first-duplicate-wins": Faulty(
            home="matching:FirstDuplicateWins",
            mistake="Of duplicates the first stays, and the children of the others are lost.",
            trap="U02",
            breaks=G.MERGING,
            title="a child of a merged row is missing instead of pointing to the survivor",
            scenario=_DUPLICATES,
            table="public.business_products",
            constraint="business_products_categoryId_fkey",
        ),
        "faulty:one-level": Faulty(
            home="matching:OneLevel",
            mistake="Duplicates are merged and their children follow, but not what collides then.",
            trap="U02",
            breaks=G.MERGING,
            title=_COLLIDE,
            scenario=_SAME_SLUGS,
            table="public.business_products",
        ),
        "faulty:backup-order": Faulty(
            home="order:BackupOrder",
            mistake="Tables are written in the order of the backup: children before parents.",
            trap="O01",
            breaks=G.ORDERING,
            title="children were written before their parents in public.business_products",
            scenario=_VARIANTS_FIRST,
            table="public.product_variants",
            constraint=_VARIANT_PRODUCT,
        ),
        "faulty:constraints-deferred": Faulty(
            home="order:ConstraintsDeferred",
            mistake="Foreign keys are made deferrable for the time of the load, and back.",
            trap="O03",
            breaks=G.ORDERING,
            title="children were written before their parents in public.business_products",
            scenario=_VARIANTS_FIRST,
            table="public.product_variants",
            constraint=_VARIANT_PRODUCT,
        ),
        "faulty:foreign-keys-not-valid": Faulty(
            home="order:ForeignKeysNotValid",
            mistake="Foreign keys are dropped and added again NOT VALID.",
            trap="O04",
            breaks=G.INTEGRITY,
            title="an orphan: its parent in public.business_products does not exist",
            scenario=_ORPHANS,
            table="public.product_variants",
            constraint=_VARIANT_PRODUCT,
        ),
        "faulty:triggers-off-and-on": Faulty(
            home="order:TriggersOffAndOn",
            mistake="All triggers are switched off and on again, those that were off, too.",
            trap="O05",
            breaks=G.INTEGRITY,
            title="the restore changed the target's schema",
            scenario=_TRIGGERS,
        ),
        "faulty:sequences-as-in-the-backup": Faulty(
            home="values:SequencesAsInTheBackup",
            mistake="Sequences are set to where they stood in the source.",
            trap="F03",
            breaks=G.INTEGRITY,
            title="sequence public.bill_id_seq is behind its column: the next INSERT will fail",
            scenario=_SEQUENCES,
            table="public.bill",
        ),
        "faulty:settings-left": Faulty(
            home="remains:SettingsLeft",
            mistake="The database is made to commit without waiting, and left so.",
            trap="F08, H08",
            breaks=G.INTEGRITY,
            title="the restore changed the target's settings: synchronous_commit",
            scenario=_OWN_ROWS,
        ),
        "faulty:null-keys": Faulty(
            home="matching:NullKeys",
            mistake="A NULL in a key equals nothing, and what has no key is added at every run.",
            trap="U06, U09",
            breaks=G.IDEMPOTENCE,
            title="the second restore of the same backup changed the target",
            scenario=_KEYLESS,
        ),
        "faulty:touches-updated-at": Faulty(
            home="values:TouchesUpdatedAt",
            mistake='Every run sets "updatedAt" to its own time.',
            trap="F04",
            breaks=G.IDEMPOTENCE,
            title="the second restore of the same backup changed the target: row changed",
            scenario=_OWN_ROWS,
        ),
        "faulty:commit-per-table": Faulty(
            home="remains:CommitPerTable",
            mistake="Each table is committed by itself.",
            trap="H02",
            breaks=G.ATOMICITY,
            title="a failed restore left the target changed: row added",
            scenario=_ORPHANS,
        ),
        "faulty:setval-first": Faulty(
            home="values:SetvalFirst",
            mistake="Sequences are set before the rows are in, which no rollback takes back.",
            trap="F03",
            breaks=G.ATOMICITY,
            title="a failed restore left the target changed: sequence moved",
            scenario=_ORPHANS,
        ),
        "faulty:swallow-errors": Faulty(
            home="claims:SwallowErrors",
            mistake="Every error is caught and counted as a success.",
            trap="H15",
            breaks=G.HONESTY,
            title="success was claimed, but",
            scenario=_DUPLICATES,
            constraint="business_products_categoryId_fkey",
        ),
        "faulty:psql-goes-on": Faulty(
            home="claims:PsqlGoesOn",
            mistake="psql runs on after errors and ends with exit code 0.",
            trap="H01",
            breaks=G.HONESTY,
            title="success was claimed, but",
            scenario=_ORPHANS,
        ),
        "faulty:counts-the-sent": Faulty(
            home="claims:CountsTheSent",
            mistake="The counts are of rows that were sent, not of rows that were written.",
            trap="H15",
            breaks=G.HONESTY,
            title="the claimed counts are not the observed ones",
            scenario=_OWN_ROWS,
        ),
        "faulty:nameless-failure": Faulty(
            home="claims:NamelessFailure",
            mistake="A failure is told without table, rule and row.",
            trap="H15",
            breaks=G.HONESTY,
            title="the failure does not name a table and the rule that was broken",
            scenario=_ORPHANS,
        ),
        "faulty:truncate-first": Faulty(
            home="matching:TruncateFirst",
            mistake="The tables of the backup are emptied first, and all that refer to them.",
            trap="O06",
            breaks=G.PRESERVATION,
            title="a row of the target that is not in the backup was removed",
            scenario=_OWN_ROWS,
        ),
        "faulty:copied-migrations": Faulty(
            home="remains:CopiedMigrations",
            mistake="The tables that describe the target itself are restored as well.",
            trap="F18",
            breaks=G.PRESERVATION,
            title="a table that is not part of the restore was touched",
            scenario=_DUPLICATES,
        ),
        "faulty:lock-file": Faulty(
            home="remains:LockFile",
            mistake="A failure leaves the lock that keeps the retry out.",
            trap="H10",
            breaks=G.RECOVERABILITY,
            title="after the fault, the restore did not end as it does without one",
            scenario=_CUT,
        ),
        "faulty:files-left": Faulty(
            home="remains:FilesLeft",
            mistake="A failure leaves a copy of the backup behind.",
            trap="H10",
            breaks=G.RECOVERABILITY,
            title="the restore left files behind",
            scenario=_ORPHANS,
        ),
        "faulty:session-left": Faulty(
            home="remains:SessionLeft",
            mistake="A failure leaves a session with a lock to the pool of connections.",
            trap="H10",
            breaks=G.RECOVERABILITY,
            title="the restore left a session behind",
            scenario=_ORPHANS,
        ),
        "faulty:lenient-reader": Faulty(
            home="remains:LenientReader",
            mistake="What can be read of a damaged backup is restored.",
            trap="H03",
            breaks=G.CONTAINMENT,
            title="the restore accepted a backup of which the end was missing",
            scenario=_CUT,
        ),
        "faulty:rehearsal": Faulty(
            home="remains:Rehearsal",
            mistake="psql rehearses the backup, and executes what stands in it.",
            trap="H13",
            breaks=G.CONTAINMENT,
            title="the restore executed a shell command that stood in the backup",
            scenario=_SHELL,
        ),
        "faulty:password-in-message": Faulty(
            home="claims:PasswordInMessage",
            mistake="The message of a failure holds the connection string.",
            trap="",
            breaks=G.CONTAINMENT,
            title="the claim holds the password of a database",
            scenario=_ORPHANS,
        ),
    }
)
"""In the order of the guarantees."""
