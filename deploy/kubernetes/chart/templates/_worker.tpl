{{/* The worker's pod, the same for a Deployment and for the Worker Controller. */}}
{{- define "orchestrator.workerPod" -}}
metadata:
  labels:
    {{- include "orchestrator.labels" . | nindent 4 }}
    app.kubernetes.io/component: worker
    {{- with .Values.worker.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    kubectl.kubernetes.io/default-container: worker
    {{- with .Values.worker.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "orchestrator.serviceAccount" . }}
  {{- include "orchestrator.podSecurity" . | nindent 2 }}
  # Above the drain: Kubernetes must not kill what the worker still lets finish.
  terminationGracePeriodSeconds: {{ add .Values.worker.gracefulShutdownSeconds .Values.worker.shutdownMarginSeconds }}
  {{- with .Values.worker.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.worker.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.worker.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{ include "orchestrator.selector" (merge (dict "component" "worker") .) | nindent 10 }}
  containers:
    - name: worker
      {{- include "orchestrator.containerSecurity" . | nindent 6 }}
      args: [worker]
      ports:
        - {name: health, containerPort: {{ .Values.worker.healthPort }}}
        - {name: metrics, containerPort: {{ .Values.worker.metricsPort }}}
      env:
        {{- if eq .Values.mode "deployment" }}
        {{- include "orchestrator.connectionEnv" . | nindent 8 }}
        {{- end }}
        {{- include "orchestrator.workerEnv" . | nindent 8 }}
      {{- with .Values.worker.variablesSecret }}
      envFrom:
        - secretRef: {name: {{ . }}}
      {{- end }}
      startupProbe:
        httpGet: {path: /healthz, port: health}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: health}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: health}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      resources: {{ toYaml .Values.worker.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: blobs, mountPath: /var/lib/orchestrator}
        {{- if include "orchestrator.definitionsConfigMap" . }}
        - {name: definitions, mountPath: /etc/orchestrator/definitions, readOnly: true}
        {{- end }}
        {{- if .Values.namedSecrets }}
        - {name: named-secrets, mountPath: /etc/orchestrator/secrets, readOnly: true}
        {{- end }}
        {{- if .Values.databases }}
        - {name: databases, mountPath: /etc/orchestrator/databases, readOnly: true}
        {{- end }}
        {{- include "orchestrator.encryptionMount" . | nindent 8 }}
        {{- if eq .Values.mode "deployment" }}
        {{- include "orchestrator.connectionMounts" . | nindent 8 }}
        {{- end }}
        {{- with .Values.worker.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - {name: tmp, emptyDir: {sizeLimit: 1Gi}}
    - {name: blobs, persistentVolumeClaim: {claimName: {{ .Values.blobs.existingClaim | default (printf "%s-blobs" (include "orchestrator.name" .)) }}}}
    {{- with include "orchestrator.definitionsConfigMap" . }}
    # No checksum: workers read definitions anew for each run, so that a new one needs no restart.
    - {name: definitions, configMap: {name: {{ . }}}}
    {{- end }}
    {{- with .Values.namedSecrets }}
    - {name: named-secrets, secret: {secretName: {{ . }}, defaultMode: 0440}}
    {{- end }}
    {{- with .Values.databases }}
    - {name: databases, secret: {secretName: {{ . }}, defaultMode: 0440}}
    {{- end }}
    {{- include "orchestrator.encryptionVolume" . | nindent 4 }}
    {{- if eq .Values.mode "deployment" }}
    {{- include "orchestrator.connectionVolumes" . | nindent 4 }}
    {{- end }}
    {{- with .Values.worker.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "orchestrator.workerEnv" -}}
- name: ORCHESTRATOR_TASK_QUEUE
  value: {{ .Values.temporal.taskQueue | quote }}
- name: ORCHESTRATOR_LOG_FORMAT
  value: json
- name: ORCHESTRATOR_HEALTH_ADDRESS
  value: "{{ .Values.listenOn }}:{{ .Values.worker.healthPort }}"
- name: ORCHESTRATOR_METRICS_ADDRESS
  value: "{{ .Values.listenOn }}:{{ .Values.worker.metricsPort }}"
- name: ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT
  value: {{ .Values.worker.gracefulShutdownSeconds | quote }}
- name: ORCHESTRATOR_BLOB_DIR
  value: /var/lib/orchestrator/blobs
- name: ORCHESTRATOR_DEFINITIONS_DIR
  value: {{ include "orchestrator.definitionsConfigMap" . | empty | ternary "/app/definitions" "/etc/orchestrator/definitions" }}
{{- if .Values.namedSecrets }}
- name: ORCHESTRATOR_SECRETS_DIR
  value: /etc/orchestrator/secrets
{{- end }}
{{- if .Values.databases }}
- name: ORCHESTRATOR_DATABASES_DIR
  value: /etc/orchestrator/databases
{{- end }}
{{- include "orchestrator.encryptionEnv" . }}
{{- with .Values.models.baseUrl }}
- name: OPENAI_BASE_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.models.apiKeySecret }}
{{- if .name }}
- name: OPENAI_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.worker.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}
