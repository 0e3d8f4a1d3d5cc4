# The report of a run: one row per recording, and what is missing.
# INPUTS   merged/<bundle>.json of all bundles
# OUTPUTS  summary.tsv, failed.tsv, ledger.tsv, search.html (with its index in search/), report.html


localrules:
    report,
    outstanding,


rule report:
    input:
        merged=merged_bundles,
    output:
        summary=report(f"{RESULTS}/summary.tsv", caption="../report/summary.rst", category="Transcripts"),
        failed=f"{RESULTS}/failed.tsv",
        ledger=f"{RESULTS}/ledger.tsv",
        search=[f"{RESULTS}/search.html"] if SETTINGS["search"] else [],
        page=report(f"{RESULTS}/report.html", caption="../report/report.rst", category="Transcripts"),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        store=SETTINGS["store"],
        corrections=SETTINGS["corrections"],
    params:
        settings=RUN.merge_settings(),
        prices=json.dumps(SETTINGS["prices"]),
    message:
        "Writing the report."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/report.py'
        " --run-dir={resources.run_dir:q}"
        " --store={resources.store:q}"
        " --settings={params.settings:q}"
        " --prices={params.prices:q}"
        " --corrections={resources.corrections:q}"
        " --log={log:q}"


rule outstanding:
    # A run with rejected or unpublished results must never count as finished: its last handler removes this file again.
    input:
        f"{RESULTS}/summary.tsv",
    output:
        touch(f"{RESULTS}/.state/outstanding"),
    message:
        "Some recordings were left out, or results are to be published."
