# Staging the model: the only step that may touch a network.
# OUTPUTS  models/<name>/audiogrid.json (beside the model's verified files), for every model of the configuration


localrules:
    stage_model,


rule stage_model:
    input:
        # A changed folder is copied again.
        lambda wildcards: MODEL_SOURCES.get(wildcards.model, []),
    output:
        "models/{model}/audiogrid.json",
    log:
        f"{RESULTS}/logs/stage_model/{{model}}.log",
    conda:
        "../../environment.yml"
    resources:
        # Paths change no text, so they are resources, which Snakemake does not track.
        registry=str(RUN.registry.source),
    params:
        model=lambda wildcards: ALL_MODELS[wildcards.model],
    message:
        "Staging model {params.model}."
    shell:
        'python "$AUDIOGRID_SCRIPTS"/stage_model.py'
        " --model={params.model:q}"
        " --registry={resources.registry:q}"
        " --models-dir=models"
        " 2> {log:q} || {{ cat {log:q} >&2; exit 1; }}"
