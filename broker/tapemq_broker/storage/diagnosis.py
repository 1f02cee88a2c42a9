"""What recovery finds in a log's directory, and the row of the table that applies. Reads only."""

from typing import NamedTuple

from tapemq_broker.storage.clean import CleanEntry
from tapemq_broker.storage.decision import CleanCheck, Findings, Place, Row, decide
from tapemq_broker.storage.evidence import Behind, look_behind, newest_proof
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.observer import Visitor
from tapemq_broker.storage.paths import base_offsets
from tapemq_broker.storage.repair_note import read_repair_note
from tapemq_broker.storage.survey import Proof, Survey
from tapemq_broker.storage.torn import torn_names


class Claims(NamedTuple):
    """What the caller knows about a log, from elsewhere on the disk.

    ``clean`` is the note of a clean stop; every offset below ``durable_floor`` was on disk (a
    group's committed position says so); ``must_exist``: the catalog says that the log was made.
    """

    clean: CleanEntry | None = None
    durable_floor: int = 0
    must_exist: bool = False


class Diagnosis(NamedTuple):
    """What was found. ``proof`` says in words why there should be more, None if nothing does.

    Offsets from the end of the sound part up to ``lost_upto`` are damaged or missing; all below
    ``known_upto`` were on disk, as others than the batches say. ``next_epoch`` is the log epoch
    that a cut begins.
    """

    row: Row
    findings: Findings
    survey: Survey
    proof: str | None
    lost_upto: int
    known_upto: int
    next_epoch: int


def diagnose(files: LogFiles, claims: Claims, visit: Visitor | None = None) -> Diagnosis:
    """Look at a log and decide. Each batch of the sound tail is shown to ``visit`` meanwhile."""
    survey = Survey(files, files.bases())
    check, proof = _check_clean(files, survey.bases, claims.clean)
    survey.run(proof, visit)
    behind = look_behind(files, survey)
    known_upto = _known_upto(files, survey.bases, claims, proof)
    reason = (
        _proof_of_place(survey, claims, proof)
        or behind.proof
        or _proof_of_more(survey, claims, known_upto)
    )
    cuts = [name.log_epoch for name in torn_names(files.names())]
    findings = Findings(
        place=_place(survey),
        clean=check,
        proven=reason is not None,
        later=behind.next_offset is not None,
        covered=survey.covered,
        unfinished=max(cuts, default=0) > survey.end.log_epoch,
    )
    return Diagnosis(
        row=decide(findings),
        findings=findings,
        survey=survey,
        proof=reason,
        lost_upto=_lost_upto(survey, behind, known_upto),
        known_upto=known_upto,
        next_epoch=max(survey.end.log_epoch + 1, *cuts, 0),
    )


def _check_clean(
    files: LogFiles, bases: list[int], clean: CleanEntry | None
) -> tuple[CleanCheck, Proof | None]:
    """Compare the last segment with the note of a clean stop; also the newest proof."""
    if clean is None:
        return CleanCheck.ABSENT, newest_proof(files, bases)
    if clean.log_id != files.log_id or not bases or bases[-1] != clean.segment_base:
        return CleanCheck.DIFFERS, newest_proof(files, bases)
    if bases[0] > clean.first_base:
        # Older ones than noted may be left: retention removes files in the background.
        return CleanCheck.DIFFERS, newest_proof(files, bases)
    proof = Proof(clean.segment_base, clean.size_bytes, clean.end)
    last = Survey(files, bases[-1:])
    last.run(proof, None)
    return CleanCheck.MATCHES if last.tail_base is None else CleanCheck.DIFFERS, proof


def _place(survey: Survey) -> Place:
    if survey.trouble:
        return survey.trouble.place
    return Place.NOTHING if survey.end[:2] == (0, 0) else Place.END


def _known_upto(files: LogFiles, bases: list[int], claims: Claims, proof: Proof | None) -> int:
    """Every offset below this was on disk, according to all but the batches themselves."""
    # The seal of a segment that is gone counts too.
    gone = set(base_offsets(files.names(), ".index")).difference(bases)
    return max(
        claims.durable_floor,
        read_repair_note(files),
        claims.clean.next_offset if claims.clean else 0,
        proof.end.next_offset if proof else 0,
        *(seal.end.next_offset for seal in map(files.seal, gone) if seal),
    )


def _proof_of_place(survey: Survey, claims: Claims, proof: Proof | None) -> str | None:
    """Why the bytes at the bad place were on disk."""
    trouble = survey.trouble
    if trouble is None:
        return None
    if claims.clean:
        return "a clean stop noted that everything was on disk"
    if proof and (trouble.segment_base, trouble.position) < proof[:2]:
        return "the index of this segment, or of a later one, says that it was on disk"
    if proof and proof.is_complete and trouble.segment_base == proof.base_offset:
        # What is there now is no unfinished write: the log goes on in the next segment.
        return "the index of this segment says that nothing was written behind that"
    return None


def _proof_of_more(survey: Survey, claims: Claims, known_upto: int) -> str | None:
    """Why something must have followed the end of the sound part."""
    if known_upto > survey.end.next_offset:
        return f"all offsets below {known_upto} were on disk"
    if not survey.bases:
        existed = claims.must_exist or claims.clean
        return "the catalog or a clean stop says that the log was made" if existed else None
    if survey.is_empty and survey.bases[0] > 0 and not claims.clean:
        return "older segments were removed, and only when a newer one was on disk"
    return None


def _lost_upto(survey: Survey, behind: Behind, known_upto: int) -> int:
    if behind.next_offset is not None:
        return behind.next_offset
    trouble = survey.trouble
    own = trouble.header.next_offset if trouble and trouble.header else 0
    return max(survey.end.next_offset, own, known_upto)
