package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rosterd/rosterd/internal/config"
)

func TestTrustedProxiesAreAddressesAndRanges(t *testing.T) {
	for text, want := range map[string]string{
		"[]":                          "[]",
		"":                            "[]",
		`["10.1.2.3/8", 192.0.2.1]`:   "[10.0.0.0/8 192.0.2.1/32]",
		`["2001:db8::1", "fd00::/8"]`: "[2001:db8::1/128 fd00::/8]",
		`["::ffff:10.0.0.0/104", "::ffff:192.0.2.1", " 10.0.0.0/8 "]`: "[10.0.0.0/8 192.0.2.1/32]",
	} {
		got, err := config.Load(write(t, "trusted_proxies: "+text+"\n"), noEnv)
		if err != nil || fmt.Sprint(got.TrustedProxies) != want {
			t.Errorf("%s: %v, %v", text, got, err)
			continue
		}
		again, err := config.Load(write(t, strings.Split(got.Redacted(), "connections:")[0]), noEnv)
		if err != nil || fmt.Sprint(again.TrustedProxies) != want {
			t.Errorf("%s printed and read again: %v, %v", text, again, err)
		}
	}
}

func TestProblemsOfTrustedProxies(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8":        "FILE:1: trusted_proxies must be a list",
		"[proxy.example]":   `FILE:1: trusted_proxies: "proxy.example" is neither an address nor a range`,
		`["10.0.0.0/33"]`:   `"10.0.0.0/33" is neither`,
		`["fe80::1%eth0"]`:  "is neither",
		`["::ffff:0:0/90"]`: "is neither",
		`["0.0.0.0/0"]`:     `"0.0.0.0/0" is everybody`,
		`["::/0"]`:          "is everybody",
		"[10]":              "each of trusted_proxies must be text: put it in double quotes",
	} {
		if got := problems(t, "trusted_proxies: "+text+"\n", noEnv); !strings.Contains(got, want) {
			t.Errorf("%s: %s", text, got)
		}
	}
}
