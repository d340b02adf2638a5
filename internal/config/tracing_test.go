package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/config"
)

func TestTracesGoWhereTheFileOrTheEnvironmentSays(t *testing.T) {
	const endpoint = "tracing: { endpoint: \"https://otel.example.com:4318/\" }\n"
	there := config.Tracing{Endpoint: "https://otel.example.com:4318", Sample: 1}
	for name, tc := range map[string]struct {
		text string
		env  []string
		want config.Tracing
	}{
		"nothing":               {"", nil, config.Tracing{Sample: 1}},
		"empty":                 {"tracing:\n  endpoint: \"\"\n", nil, config.Tracing{Sample: 1}},
		"an endpoint":           {endpoint, nil, there},
		"the environment":       {"tracing: { sample: 0.25 }\n", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"}, config.Tracing{Sample: .25, FromEnvironment: true}},
		"its traces alone":      {"", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces"}, config.Tracing{Sample: 1, FromEnvironment: true}},
		"the file above it":     {endpoint, []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"}, there},
		"switched off":          {endpoint, []string{"OTEL_SDK_DISABLED", "true"}, config.Tracing{Sample: 1}},
		"no exporter of traces": {"", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "OTEL_TRACES_EXPORTER", "none"}, config.Tracing{Sample: 1}},
		"headers": {"tracing: { endpoint: http://127.0.0.1:4318, headers: \"${env:OTEL_HEADERS}\", sample: 0 }\n", []string{"OTEL_HEADERS", "api-key=a%20b=, x=1"},
			config.Tracing{Endpoint: "http://127.0.0.1:4318", Headers: map[string]config.Secret{"api-key": "a b=", "x": "1"}}},
	} {
		got, err := config.Load(write(t, tc.text), environment(tc.env...))
		if err != nil || !reflect.DeepEqual(got.Tracing, tc.want) || got.Tracing.On() != (tc.want.Endpoint != "" || tc.want.FromEnvironment) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if shown := got.Redacted(); strings.Contains(shown, "a b=") || strings.Contains(shown, "a%20b") {
			t.Errorf("%s: the headers are shown: %s", name, shown)
		}
	}
	for text, want := range map[string]string{
		"tracing: https://otel.example.com\n":                        "FILE:1: tracing must be settings",
		"tracing: { endpoint: \"otel.example.com:4318\" }\n":         "FILE:1: endpoint must be a URL such as https://",
		"tracing: { endpoint: \"https://a:b@otel.example.com\" }\n":  "FILE:1: endpoint must not have a password in it",
		"tracing: { endpoint: \"https://otel.example.com/?a=b\" }\n": "FILE:1: endpoint must end with the host, or a path",
		"tracing: { headers: \"api-key=hush\" }\n":                   "FILE:1: headers must not stand in the file itself: write headers: ${env:OTEL_HEADERS}",
		"tracing: { headers: \"${env:OTEL_HEADERS}\" }\n":            "FILE:1: headers must be name=value",
		"tracing: { sample: 2 }\n":                                   "FILE:1: sample must be a number between 0 and 1",
		"tracing: { sample: NaN }\n":                                 "FILE:1: sample must be a number between 0 and 1",
		"tracing: { sample: often }\n":                               "FILE:1: sample must be a number between 0 and 1",
	} {
		if got := problems(t, text, environment("OTEL_HEADERS", "hush")); !strings.HasPrefix(got, want) || strings.Contains(got, "hush\n") {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
}
