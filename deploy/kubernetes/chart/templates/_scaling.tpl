{{/* What scales the workers: the same for one Deployment and, in a WorkerResourceTemplate, for that of each release. */}}
{{- define "orchestrator.hpaSpec" -}}
minReplicas: {{ .Values.autoscaling.minReplicas }}
maxReplicas: {{ .Values.autoscaling.maxReplicas }}
metrics:
  - type: Resource
    resource:
      name: cpu
      target: {type: Utilization, averageUtilization: {{ .Values.autoscaling.targetCPUUtilization }}}
behavior:
  scaleDown: {stabilizationWindowSeconds: 300}
{{- end -}}

{{- define "orchestrator.kedaSpec" -}}
minReplicaCount: {{ .Values.autoscaling.minReplicas }}
maxReplicaCount: {{ .Values.autoscaling.maxReplicas }}
pollingInterval: {{ .Values.autoscaling.pollingInterval }}
cooldownPeriod: {{ .Values.autoscaling.cooldownPeriod }}
advanced:
  horizontalPodAutoscalerConfig:
    behavior:
      scaleDown: {stabilizationWindowSeconds: 300}
triggers:
  - type: temporal
    metadata:
      endpoint: {{ .Values.temporal.address | quote }}
      taskQueue: {{ .Values.temporal.taskQueue | quote }}
      queueTypes: workflow,activity
      targetQueueSize: {{ .Values.autoscaling.targetQueueSize | quote }}
      {{- if eq .Values.mode "controller" }}
      # Empty: the controller puts in those of the release.
      namespace: ""
      workerDeploymentName: ""
      workerDeploymentBuildId: ""
      {{- else }}
      namespace: {{ .Values.temporal.namespace | quote }}
      {{- end }}
      {{- with .Values.temporal.tls.serverName }}
      tlsServerName: {{ . | quote }}
      {{- end }}
    {{- if include "orchestrator.kedaSecrets" . }}
    authenticationRef: {name: {{ include "orchestrator.name" . }}-temporal}
    {{- end }}
{{- end -}}

{{- define "orchestrator.kedaSecrets" -}}
{{- with .Values.temporal.apiKeySecret }}
{{- if .name }}
- {parameter: apiKey, name: {{ .name }}, key: {{ .key }}}
{{- end }}
{{- end }}
{{- with .Values.temporal.tls.clientCertificateSecret }}
- {parameter: cert, name: {{ . }}, key: tls.crt}
- {parameter: key, name: {{ . }}, key: tls.key}
{{- end }}
{{- with .Values.temporal.tls.caSecret }}
- {parameter: ca, name: {{ . }}, key: ca.crt}
{{- end }}
{{- end -}}

{{- define "orchestrator.perRelease" -}}
apiVersion: temporal.io/v1alpha1
kind: WorkerResourceTemplate
metadata:
  name: {{ include "orchestrator.name" .root }}-{{ .suffix }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{ include "orchestrator.labels" .root | nindent 4 }}
spec:
  workerDeploymentRef: {name: {{ include "orchestrator.name" .root }}}
  template:
    apiVersion: {{ .apiVersion }}
    kind: {{ .kind }}
    spec:
      {{- .spec | nindent 6 }}
{{- end -}}
