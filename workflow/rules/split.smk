# Per bundle: decode every recording once, cut at pauses.
# INPUTS   plan.json and the recordings it names
# OUTPUTS  chunks/<bundle>/ (temporary)


rule split:
    input:
        # `spec` holds what matters of the plan. A new plan alone is no reason to split again.
        plan=ancient(f"{RESULTS}{{part}}/plan.json"),
    output:
        chunks=temp(directory(f"{RESULTS}{{part}}/chunks/{{bundle}}")),
    log:
        f"{RESULTS}{{part}}/logs/split/{{bundle}}.log",
    priority: lambda wildcards: bundle_order(wildcards)
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 600 * attempt,
        runtime=bundle_minutes,
        patience=patience,
    params:
        spec=lambda wildcards: plan_of(wildcards).bundle[wildcards.bundle].spec,
    message:
        "Cutting bundle {wildcards.bundle} into chunks."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/split.py'
        " --plan={input.plan:q}"
        " --bundle={wildcards.bundle}"
        " --output={output.chunks:q}"
        " --patience={resources.patience}"
        # `tee` ends when nobody reads its output any more; the job goes on.
        " 2>&1 | {{ tee {log:q} >&2 || cat > /dev/null; }}"
