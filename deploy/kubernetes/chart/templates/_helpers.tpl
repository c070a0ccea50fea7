{{- define "orchestrator.name" -}}
{{- .Values.nameOverride | default .Release.Name | trunc 47 | trimSuffix "-" -}}
{{- end -}}

{{- define "orchestrator.image" -}}
{{- with .Values.image.digest -}}
{{ $.Values.image.repository }}@{{ . }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "orchestrator.labels" -}}
app.kubernetes.io/name: orchestrator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "orchestrator.selector" -}}
app.kubernetes.io/name: orchestrator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "orchestrator.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "orchestrator.name" .) }}
{{- end -}}

{{- define "orchestrator.definitionsConfigMap" -}}
{{- if .Values.definitions.existingConfigMap -}}
{{ .Values.definitions.existingConfigMap }}
{{- else if .Values.definitions.files -}}
{{ include "orchestrator.name" . }}-definitions
{{- end -}}
{{- end -}}

{{- define "orchestrator.podSecurity" -}}
automountServiceAccountToken: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "orchestrator.containerSecurity" -}}
image: {{ include "orchestrator.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* How to reach Temporal. The Worker Controller puts the same into its pods by itself. */}}
{{- define "orchestrator.connectionEnv" -}}
- name: TEMPORAL_ADDRESS
  value: {{ .Values.temporal.address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- with .Values.temporal.apiKeySecret }}
{{- if .name }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- with .Values.temporal.tls }}
{{- if .enabled }}
- name: TEMPORAL_TLS
  value: "true"
{{- end }}
{{- if .clientCertificateSecret }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/orchestrator/temporal-tls/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/orchestrator/temporal-tls/tls.key
{{- end }}
{{- if .caSecret }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/orchestrator/temporal-ca/ca.crt
{{- end }}
{{- if .serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ .serverName | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "orchestrator.connectionMounts" -}}
{{- if .Values.temporal.tls.clientCertificateSecret }}
- {name: temporal-tls, mountPath: /etc/orchestrator/temporal-tls, readOnly: true}
{{- end }}
{{- if .Values.temporal.tls.caSecret }}
- {name: temporal-ca, mountPath: /etc/orchestrator/temporal-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "orchestrator.connectionVolumes" -}}
{{- with .Values.temporal.tls.clientCertificateSecret }}
- {name: temporal-tls, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- with .Values.temporal.tls.caSecret }}
- {name: temporal-ca, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end -}}

{{- define "orchestrator.encryptionEnv" -}}
{{- with .Values.encryption.keysSecret }}
{{- if .name }}
- name: ORCHESTRATOR_ENCRYPTION_KEYS_FILE
  value: /etc/orchestrator/encryption/{{ .key }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "orchestrator.encryptionMount" -}}
{{- if .Values.encryption.keysSecret.name }}
- {name: encryption, mountPath: /etc/orchestrator/encryption, readOnly: true}
{{- end }}
{{- end -}}

{{- define "orchestrator.encryptionVolume" -}}
{{- with .Values.encryption.keysSecret.name }}
- {name: encryption, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- end -}}
