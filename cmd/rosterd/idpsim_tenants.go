package main

import (
	"context"
	"net/http"
	"time"

	"github.com/rosterd/rosterd/internal/idpsim"
)

// parts divides the people of a directory: those in scope and enabled, those in scope who are off, and those out of scope.
// A share of nobody is -1, as idpsim wants it.
func parts(users int) (members, off, outsiders int) {
	off, outsiders = users/56, users/11
	members = users - off - outsiders
	none := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	return members, none(off), none(outsiders)
}

func newEntraSimulation(o simOptions, now func() time.Time) *simulation {
	members, off, outsiders := parts(o.users)
	t := idpsim.New(idpsim.Config{
		Seed: o.seed, Members: members, Disabled: off, Outsiders: outsiders, Groups: o.groups, PageSize: o.pageSize, Now: now,
	})
	var pusher *idpsim.Pusher
	return &simulation{
		kind: "entra", setRules: t.SetRules,
		handler: func() http.Handler { return idpsim.Control(t, pusher) },
		connect: func(baseURL, token string) (err error) {
			pusher, err = idpsim.NewPusher(t, idpsim.PushConfig{BaseURL: baseURL, Token: token})
			return err
		},
		cycle: func(ctx context.Context) (idpsim.Summary, error) { return pusher.Cycle(ctx) },
		facts: func(url string) []fact {
			return []fact{
				{"graph_url", "Microsoft Graph", url + "/v1.0"},
				{"token_url", "Token endpoint", url + "/" + t.TenantID() + "/oauth2/v2.0/token"},
				{"tenant_id", "Tenant id", t.TenantID()},
				{"client_id", "Application (client) id", t.ClientID()},
				{"client_secret", "Client secret", t.ClientSecret()},
				{"service_principal_id", "Service principal id", t.ServicePrincipalID()},
				{"job_id", "Provisioning job id", t.JobID()},
				{"access_token", "Access token", t.AccessToken()},
			}
		},
		entry: func(url string) string {
			return entryLines(
				"  - organisation: default",
				"    name: entra",
				"    kind: entra",
				"    entra:",
				`      tenant_id: "`+t.TenantID()+`"`,
				`      service_principal_id: "`+t.ServicePrincipalID()+`"`,
				"      graph_url: "+url,
				`      access_token: "`+t.AccessToken()+`"`,
			)
		},
	}
}

func newOktaSimulation(o simOptions, now func() time.Time) *simulation {
	members, off, outsiders := parts(o.users)
	t := idpsim.NewOkta(idpsim.OktaConfig{
		Seed: o.seed, Members: members, Off: off, Outsiders: outsiders, Groups: o.groups, PageSize: o.pageSize,
		RateLimit: o.rateLimit, Now: now,
	})
	var pusher *idpsim.OktaPusher
	return &simulation{
		kind: "okta", setRules: t.SetRules,
		handler: func() http.Handler { return idpsim.OktaControl(t, pusher) },
		connect: func(baseURL, token string) (err error) {
			pusher, err = idpsim.NewOktaPusher(t, idpsim.OktaPushConfig{BaseURL: baseURL, Token: token})
			return err
		},
		cycle: func(ctx context.Context) (idpsim.Summary, error) { return pusher.Cycle(ctx) },
		facts: func(url string) []fact {
			return []fact{
				{"org_url", "Okta org URL", url},
				{"app_id", "Application id", t.AppID()},
				{"api_token", "API token (SSWS)", t.APIToken()},
			}
		},
		export: "OKTA_API_TOKEN=" + t.APIToken(),
		entry: func(url string) string {
			return entryLines(
				"  - organisation: default",
				"    name: okta",
				"    kind: okta",
				"    okta:",
				"      org_url: "+url,
				`      app_id: "`+t.AppID()+`"`,
				"      api_token: ${env:OKTA_API_TOKEN}",
			)
		},
	}
}
