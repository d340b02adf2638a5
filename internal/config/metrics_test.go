package config_test

import (
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/config"
)

func TestMetricsAreServedWhereTheFileSays(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"metrics_listen:\n":                "",
		"metrics_listen: \"\"\n":           "",
		"metrics_listen: 127.0.0.1:9464\n": "127.0.0.1:9464",
		"metrics_listen: \":9464\"\n":      ":9464",
		"metrics_listen: '[::1]:0'\n":      "[::1]:0",
		"metrics_listen: metrics.lan:80\n": "metrics.lan:80",
	} {
		got, err := config.Load(write(t, text), noEnv)
		if err != nil || got.MetricsListen != want {
			t.Errorf("%q: %q, %v", text, got.MetricsListen, err)
			continue
		}
		again, err := config.Load(write(t, strings.Split(got.Redacted(), "connections:")[0]), noEnv)
		if err != nil || again.MetricsListen != want {
			t.Errorf("%q, printed and read again: %q, %v", text, again.MetricsListen, err)
		}
	}
	for text, want := range map[string]string{
		"metrics_listen: 9464\n":            "FILE:1: metrics_listen must be text",
		"metrics_listen: \"9464\"\n":        `FILE:1: metrics_listen "9464" is not an address: write host:port, such as 127.0.0.1:9464; leave it out for no metrics`,
		"metrics_listen: 127.0.0.1\n":       `FILE:1: metrics_listen "127.0.0.1" is not an address`,
		"metrics_listen: 127.0.0.1:70000\n": `FILE:1: metrics_listen "127.0.0.1:70000" has no port between 0 and 65535`,
		"metrics_listen: 'a b:1'\n":         `FILE:1: metrics_listen "a b:1" has no valid host`,
		"metrics_listen: [127.0.0.1:9]\n":   "FILE:1: metrics_listen must be text",
		"metric_listen: 127.0.0.1:9464\n":   `FILE:1: unknown key "metric_listen" in the file (did you mean "metrics_listen"?)`,
	} {
		if got := problems(t, text, noEnv); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s\nwant %s", text, got, want)
		}
	}
}
