# `snakemake compare`: a sample of the recordings, under every condition, decoded with every variant.
# INPUTS   probe.json
# OUTPUTS  compare.html, compare.tsv; compare/<variant>/ is a folder like the run's, compare/chunks/ serves all of them

from audiogrid.scoring.references import references_stamp

CONDITION_LISTS = [f"{RESULTS}/compare/conditions/{condition.name}.json" for condition in COMPARISON.conditions]


localrules:
    compare_sample,
    compare_plan,
    compare,


rule compare_sample:
    input:
        probe=f"{RESULTS}/probe.json",
    output:
        sample=f"{RESULTS}/compare/sample.json",
    log:
        f"{RESULTS}/compare/logs/sample.log",
    conda:
        "../../environment.yml"
    params:
        sample=RUN.configuration["compare"]["sample"],
        seed=COMPARISON.seed,
        references=lambda wildcards: references_stamp(FOLDER.probe),
    message:
        "Choosing what is compared."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/compare_sample.py'
        " --probe={input.probe:q}"
        " --sample={params.sample:q}"
        " --seed={params.seed}"
        " --output={output.sample:q}"
        " --log={log:q}"


rule compare_condition:
    input:
        sample=f"{RESULTS}/compare/sample.json",
    output:
        made=f"{RESULTS}/compare/conditions/{{condition}}.json",
    log:
        f"{RESULTS}/compare/logs/conditions/{{condition}}.log",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 600 * attempt,
        # Finished recordings are kept, so a retry continues.
        runtime=lambda wildcards, attempt: 120 * attempt,
        folder=lambda wildcards: f"{RESULTS}/compare/conditions/{wildcards.condition}",
    message:
        "Making condition {wildcards.condition}."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/compare_condition.py'
        " --sample={input.sample:q}"
        " --condition={wildcards.condition:q}"
        " --folder={resources.folder:q}"
        " --output={output.made:q}"
        " --log={log:q}"


checkpoint compare_plan:
    input:
        sample=f"{RESULTS}/compare/sample.json",
        conditions=CONDITION_LISTS,
        languages=[f"{RESULTS}/languages.json"] if IDENTIFIES else [],
        models=[staged(model) for models in RUN.variant_models.values() for model in models],
    output:
        shared=f"{RESULTS}/compare/plan.json",
        variants=[f"{RESULTS}/compare/{name}/plan.json" for name in COMPARISON.variants],
    log:
        f"{RESULTS}/compare/logs/plan.log",
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        compare_dir=f"{RESULTS}/compare",
    params:
        settings=lambda wildcards: RUN.compare_settings(REVISION, on_cluster=on_cluster()),
        models=json.dumps({name: list(map(model_dir, models)) for name, models in RUN.variant_models.items()}),
    message:
        "Planning the comparison."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/compare_plan.py'
        " --compare-dir={resources.compare_dir:q}"
        " --sample={input.sample:q}"
        " --conditions {input.conditions:q}"
        " --languages {input.languages:q}"
        " --settings={params.settings:q}"
        " --models={params.models:q}"
        " --log={log:q}"


rule compare:
    input:
        shared=f"{RESULTS}/compare/plan.json",
        merged=merged_variants,
        conditions=CONDITION_LISTS,
    output:
        page=report(f"{RESULTS}/compare.html", caption="../report/compare.rst", category="Comparison"),
        table=f"{RESULTS}/compare.tsv",
    log:
        f"{RESULTS}/compare/logs/compare.log",
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        run_dir=RESULTS,
        store=SETTINGS["store"],
    params:
        variants=json.dumps(RUN.compared_variants()),
        prices=json.dumps(SETTINGS["prices"]),
        references=lambda wildcards: references_stamp(FOLDER.probe),
        # What a person corrected is a reference, too.
        corrections=lambda wildcards: CORRECTIONS.state(CORRECTIONS.everything()),
    message:
        "Comparing variants."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/compare.py'
        " --run-dir={resources.run_dir:q}"
        " --store={resources.store:q}"
        " --variants={params.variants:q}"
        " --conditions {input.conditions:q}"
        " --prices={params.prices:q}"
        " --page={output.page:q}"
        " --table={output.table:q}"
        " --log={log:q}"
