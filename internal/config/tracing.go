package config

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Tracing says where traces go, by OpenTelemetry's protocol over HTTP (OTLP/HTTP).
type Tracing struct {
	// Endpoint is the collector's base URL; empty: none is set here.
	Endpoint string
	// Headers go with what is sent, by name; each value is a secret.
	Headers map[string]Secret
	// Sample is the share of the SCIM requests that are traced. Runs always are.
	Sample float64
	// FromEnvironment: OTEL_EXPORTER_OTLP_ENDPOINT, or that of traces, stands in for an empty Endpoint; the exporter itself
	// reads it and its companions.
	FromEnvironment bool
}

// On reports whether there is anything to send traces to.
func (t *Tracing) On() bool { return t.Endpoint != "" || t.FromEnvironment }

// readEnvironment goes by https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and the SDK's own switches.
func (t *Tracing) readEnvironment(env func(string) (string, bool)) {
	get := func(name string) string { value, _ := env(name); return strings.TrimSpace(value) }
	if strings.EqualFold(get("OTEL_SDK_DISABLED"), "true") || get("OTEL_TRACES_EXPORTER") == "none" {
		t.Endpoint = ""
		return
	}
	t.FromEnvironment = t.Endpoint == "" && (get("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != "")
}

func (t *Tracing) read(s *section) {
	if s == nil {
		return
	}
	s.checked("endpoint", &t.Endpoint, checkCollector)
	var headers Secret
	s.secret("headers", "OTEL_HEADERS", &headers)
	var err error
	if t.Headers, err = parseHeaders(headers.Reveal()); err != nil {
		s.doc.problemf(s.values["headers"].line, "headers %v", err)
	}
	s.share("sample", &t.Sample)
}

func checkCollector(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "":
		return "", fmt.Errorf("must be a URL such as https://otel.example.com:4318")
	case u.User != nil:
		return "", fmt.Errorf("must not have a password in it: write it under headers")
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("must end with the host, or a path: the query and what follows # are not sent")
	}
	return strings.TrimSuffix(text, "/"), nil
}

// parseHeaders reads name=value, separated by commas, with the values encoded as in a URL: as OTEL_EXPORTER_OTLP_HEADERS.
func parseHeaders(text string) (map[string]Secret, error) {
	out := map[string]Secret{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil || strings.ContainsAny(name, " :\t\r\n") || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("must be name=value, with commas between several, such as api-key=abc")
		}
		out[name] = Secret(value)
	}
	if len(out) == 0 {
		return nil, nil //nolint:nilnil // no headers
	}
	return out, nil
}

// share reads a number from 0 to 1.
func (s *section) share(key string, into *float64) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	text, _ := scalar(v.node)
	switch n := v.node.(type) {
	case *ast.FloatNode:
		text = n.Token.Value
	case *ast.IntegerNode:
		text = n.Token.Value
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share >= 0 && share <= 1) {
		s.doc.problemf(v.line, "%s must be a number between 0 and 1, such as 0.1", key)
		return
	}
	*into = share
}

func (t *Tracing) redacted() yaml.MapSlice {
	out := yaml.MapSlice{{Key: "endpoint", Value: t.Endpoint}}
	if len(t.Headers) > 0 {
		out = append(out, yaml.MapItem{Key: "headers", Value: hidden})
	}
	return append(out, yaml.MapItem{Key: "sample", Value: t.Sample})
}
