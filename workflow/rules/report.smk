# The end of a run: one row per recording, and what is missing.
# INPUTS   merged/<bundle>.json of all bundles
# OUTPUTS  summary.tsv, failed.tsv, report.html


localrules:
    report,
    outstanding,


rule report:
    input:
        merged=merged_bundles,
    output:
        summary=report(f"{RESULTS}/summary.tsv", caption="../report/summary.rst", category="Transcripts"),
        failed=f"{RESULTS}/failed.tsv",
        page=report(f"{RESULTS}/report.html", caption="../report/report.rst", category="Transcripts"),
    log:
        f"{RESULTS}/logs/report.log",
    conda:
        "../../environment.yml"
    resources:
        # Where things lie changes no text, so it is no parameter.
        run_dir=RESULTS,
        store=SETTINGS["store"],
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
        " --log={log:q}"


rule outstanding:
    # Exists so that a run with rejected recordings, or results yet to be published, never counts as finished: its end
    # removes the file again.
    input:
        f"{RESULTS}/summary.tsv",
    output:
        touch(f"{RESULTS}/.state/outstanding"),
    message:
        "Some recordings were left out, or results are to be published."
