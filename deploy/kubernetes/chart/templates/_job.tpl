{{/* A one-shot of the image that talks to Temporal, before install or upgrade; it needs nothing that the chart makes. */}}
{{- define "orchestrator.hookJob" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "orchestrator.name" $root }}-{{ .component }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{ include "orchestrator.labels" $root | nindent 4 }}
  annotations:
    helm.sh/hook: {{ .hook }}
    helm.sh/hook-weight: {{ .weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 2
  activeDeadlineSeconds: {{ .deadline }}
  template:
    metadata:
      labels:
        {{- include "orchestrator.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
    spec:
      restartPolicy: Never
      {{- include "orchestrator.podSecurity" $root | nindent 6 }}
      containers:
        - name: {{ .component }}
          {{- include "orchestrator.containerSecurity" $root | nindent 10 }}
          {{- .command | nindent 10 }}
          env:
            {{- include "orchestrator.connectionEnv" $root | nindent 12 }}
            {{- include "orchestrator.encryptionEnv" $root | nindent 12 }}
            - name: ORCHESTRATOR_TASK_QUEUE
              value: {{ $root.Values.temporal.taskQueue | quote }}
          resources:
            requests: {cpu: 100m, memory: 256Mi}
            limits: {memory: 1Gi}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
            {{- include "orchestrator.connectionMounts" $root | nindent 12 }}
            {{- include "orchestrator.encryptionMount" $root | nindent 12 }}
      volumes:
        - {name: tmp, emptyDir: {}}
        {{- include "orchestrator.connectionVolumes" $root | nindent 8 }}
        {{- include "orchestrator.encryptionVolume" $root | nindent 8 }}
{{- end -}}
