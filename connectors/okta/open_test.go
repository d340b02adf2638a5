package okta

import (
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	good := Config{OrgURL: "https://initech.okta.com", AppID: "0oa1gjh63g214q0Hq0g4", APIToken: "00s3cret"}
	for name, tc := range map[string]struct {
		edit func(*Config)
		want string // part of the error; empty: none
	}{
		"as it should be":         {func(*Config) {}, ""},
		"slash at the end":        {func(c *Config) { c.OrgURL += "/" }, ""},
		"own domain":              {func(c *Config) { c.OrgURL = "https://login.initech.example" }, ""},
		"loopback":                {func(c *Config) { c.OrgURL = "http://127.0.0.1:4101" }, ""},
		"localhost":               {func(c *Config) { c.OrgURL = "http://LOCALHOST:4101" }, ""},
		"IPv6 loopback":           {func(c *Config) { c.OrgURL = "http://[::1]:4101" }, ""},
		"every choice":            {func(c *Config) { c.Teams, c.Suspended, c.MaxCalls = TeamsLinked, SuspendedKeep, 7 }, ""},
		"plain http":              {func(c *Config) { c.OrgURL = "http://initech.okta.com" }, "loopback"},
		"loopback by prefix only": {func(c *Config) { c.OrgURL = "http://127.0.0.1.example" }, "loopback"},
		"path":                    {func(c *Config) { c.OrgURL += "/api/v1" }, "no path"},
		"admin console":           {func(c *Config) { c.OrgURL = "https://initech-admin.okta.com" }, "-admin"},
		"user in the URL":         {func(c *Config) { c.OrgURL = "https://u:00s3cret@initech.okta.com" }, "no user"},
		"no scheme":               {func(c *Config) { c.OrgURL = "initech.okta.com" }, "want a URL"},
		"no URL":                  {func(c *Config) { c.OrgURL = "" }, "want a URL"},
		"the SDK's own doubt":     {func(c *Config) { c.OrgURL = "https://initech.okta.com.com" }, "typo"},
		"no application":          {func(c *Config) { c.AppID = "" }, "app_id"},
		"application with a path": {func(c *Config) { c.AppID = "0oa/../users" }, "app_id"},
		"no token":                {func(c *Config) { c.APIToken = "" }, "api_token is missing"},
		"token with a line break": {func(c *Config) { c.APIToken += "\n" }, "api_token"},
		"teams":                   {func(c *Config) { c.Teams = "all" }, "teams"},
		"suspended":               {func(c *Config) { c.Suspended = "on" }, "suspended"},
		"negative budget":         {func(c *Config) { c.MaxCalls = -1 }, "limit of calls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			tc.edit(&cfg)
			_, err := Open(cfg, nil, nil)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("Open = %v, want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "00s3cret") {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
}

// TestNothingFromTheEnvironment sets every variable that the SDK reads, and looks whether one got through.
func TestNothingFromTheEnvironment(t *testing.T) {
	cfg := Config{OrgURL: "https://initech.okta.com", AppID: "0oa1gjh63g214q0Hq0g4", APIToken: "00s3cret"}
	clean, err := Open(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	poison := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int32: "77", reflect.Int64: "77", reflect.String: "poison", reflect.Slice: "poison"}
	set := 0
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if name := f.Tag.Get("envconfig"); name != "" {
				t.Setenv(name, poison[f.Type.Kind()])
				set++
			} else if f.Type.Kind() == reflect.Struct {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeOf(*clean.client.GetConfig()))
	t.Setenv("OKTA_USERAGENTEXTRA", "poison")
	if set < 20 || os.Getenv("OKTA_CLIENT_TOKEN") != "poison" {
		t.Fatalf("%d variables were set", set)
	}
	poisoned, err := Open(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, want := poisoned.client.GetConfig(), clean.client.GetConfig()
	if !reflect.DeepEqual(got.Okta, want.Okta) || got.UserAgentExtra != want.UserAgentExtra {
		t.Errorf("the SDK is configured as\n%+v, want\n%+v", got, want)
	}
	if got.HttpClient.Timeout != 0 || reflect.TypeOf(got.HttpClient.Transport) != reflect.TypeOf(http.RoundTripper(&gate{})) {
		t.Errorf("the SDK's client is %+v", got.HttpClient)
	}
	if want.Okta.Client.Cache.Enabled || want.Okta.Testing.DisableHttpsCheck || want.Okta.Client.Token != cfg.APIToken {
		t.Errorf("the SDK is configured as\n%+v", want)
	}
}
