{{/* Where pods may connect to: rules of a NetworkPolicy. */}}
{{- define "orchestrator.toTemporal" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
- ports: [{port: {{ .Values.temporal.address | splitList ":" | last | int }}, protocol: TCP}]
  {{- with .Values.networkPolicy.temporalTo }}
  to: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "orchestrator.toOutside" -}}
{{- $except := dict "0.0.0.0/0" (list) "::/0" (list) }}
{{- range .Values.networkPolicy.exceptNetworks }}
{{- $all := contains ":" . | ternary "::/0" "0.0.0.0/0" }}
{{- $_ := set $except $all (append (get $except $all) .) }}
{{- end -}}
- ports:
    {{- range .Values.networkPolicy.egressPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  to:
    {{- range $all, $inside := $except }}
    - ipBlock:
        cidr: {{ $all | quote }}
        {{- with $inside }}
        except: {{ toYaml . | nindent 10 }}
        {{- end }}
    {{- end }}
{{- end -}}
