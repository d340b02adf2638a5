package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func TestOrganisations(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		made, err := b.local.CreateOrganisation(ctx, "  Gamma & Söhne  ")
		b.ok(err)
		if made.Name != "Gamma & Söhne" || made.SCIM || made.ID == "" || made.CreatedAt.IsZero() {
			b.t.Errorf("got %+v", made)
		}
		_, err = b.local.CreateOrganisation(ctx, "ACME")
		b.refused(err, http.StatusConflict, "conflict", "exists already")
		for _, bad := range []string{"", "  ", strings.Repeat("x", 101), "a\tb"} {
			_, err = b.local.CreateOrganisation(ctx, bad)
			b.refused(err, http.StatusBadRequest, "invalid", "name")
		}
		got := list(b, b.local.Organisations(ctx, client.ListOptions{}))
		if len(got) != 3 || got[0].Name != "acme" || got[2].Name != "Gamma & Söhne" {
			b.t.Errorf("got %+v", got)
		}
		status, err := b.local.SetSCIM(ctx, "Acme", true)
		b.ok(err)
		if !status.Enabled || status.Organisation != "acme" || status.BaseURL != "https://id.example.com/service/v1/scim/v2" {
			b.t.Errorf("got %+v", status)
		}
		if status, err = b.local.SCIM(ctx, b.acme); err != nil || !status.Enabled {
			b.t.Errorf("got %+v, %v", status, err)
		}
		if status, err = b.local.SCIM(ctx, "Gamma & Söhne"); err != nil || status.Enabled {
			b.t.Errorf("got %+v, %v", status, err)
		}
		_, err = b.local.SCIM(ctx, "..")
		b.refused(err, http.StatusNotFound, "not_found", `no organisation ".."`)

		over := b.remote(b.key("acme", "owner"))
		_, err = over.CreateOrganisation(ctx, "delta")
		b.refused(err, http.StatusForbidden, "forbidden", "socket only")
		err = listError(over.Organisations(ctx, client.ListOptions{}))
		b.refused(err, http.StatusForbidden, "forbidden", "socket only")
	})
}

func TestTokens(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		unbound, err := b.local.CreateToken(ctx, "acme", client.NewToken{Name: "unbound", Expires: "never"})
		b.ok(err)
		if unbound.Connection != nil || unbound.ExpiresAt != nil || !strings.HasPrefix(unbound.Token, roster.TokenPrefix) {
			b.t.Errorf("got %+v", unbound)
		}
		b.connection("entra", "t1")
		bound, err := b.local.CreateToken(ctx, "acme", client.NewToken{Name: " bound ", Expires: "2w"})
		b.ok(err)
		if bound.Connection == nil || *bound.Connection != "entra" || bound.Name != "bound" {
			b.t.Errorf("got %+v", bound)
		}
		if left := bound.ExpiresAt.Sub(b.now); left < 14*24*time.Hour-2*time.Second || left > 14*24*time.Hour {
			b.t.Errorf("expires in %v", left)
		}
		b.connection("okta", "t2")
		if third, err := b.local.CreateToken(ctx, "acme", client.NewToken{Name: "third", Expires: "12h"}); err != nil || third.Connection != nil {
			b.t.Errorf("with two connections: %+v, %v", third, err)
		}
		if fourth, err := b.local.CreateToken(ctx, "acme", client.NewToken{Name: "fourth", Expires: "1d", Connection: "okta"}); err != nil || *fourth.Connection != "okta" {
			b.t.Errorf("by name: %+v, %v", fourth, err)
		}
		_, err = b.local.CreateToken(ctx, "acme", client.NewToken{Name: "fifth", Expires: "1d", Connection: "nobody"})
		b.refused(err, http.StatusNotFound, "not_found", "entra, okta")
		_, err = b.local.CreateToken(ctx, "acme", client.NewToken{Name: "bound", Expires: "1d"})
		b.refused(err, http.StatusConflict, "conflict", "exists already")
		for _, bad := range []string{"", "90", "d", "0d", "-1d", "1y", "1.5h", "Never", "999999w", " 1d"} {
			_, err = b.local.CreateToken(ctx, "acme", client.NewToken{Name: "bad", Expires: bad})
			b.refused(err, http.StatusBadRequest, "invalid", "90d", "never")
		}
		b.switchTokens(bound)
	})
}

func (b *bench) switchTokens(bound client.Token) {
	b.t.Helper()
	ctx := b.t.Context()
	off, err := b.local.DisableToken(ctx, "acme", "bound")
	if err != nil || !off.Disabled || off.Token != "" || *off.Connection != "entra" || !off.ExpiresAt.Equal(*bound.ExpiresAt) {
		b.t.Errorf("got %+v, %v", off, err)
	}
	if on, err := b.local.EnableToken(ctx, "acme", bound.ID); err != nil || on.Disabled {
		b.t.Errorf("got %+v, %v", on, err)
	}
	listed := list(b, b.local.Tokens(ctx, "acme", client.ListOptions{}))
	if len(listed) != 4 {
		b.t.Fatalf("%d tokens", len(listed))
	}
	for _, token := range listed {
		if token.Token != "" || token.LastUsedAt != nil {
			b.t.Errorf("listed %+v", token)
		}
	}
	if first := list(b, b.local.Tokens(ctx, "acme", client.ListOptions{Limit: 2})); len(first) != 2 || first[1].ID != listed[1].ID {
		b.t.Errorf("got %+v", first)
	}
	b.ok(b.local.DeleteToken(ctx, "acme", "bound"))
	b.refused(b.local.DeleteToken(ctx, "acme", "bound"), http.StatusNotFound, "not_found", `no token "bound"`)
	_, err = b.local.EnableToken(ctx, "beta", listed[0].ID)
	b.refused(err, http.StatusNotFound, "not_found")
}

func TestSmallListsArePaged(t *testing.T) {
	each(t, func(b *bench) {
		for _, name := range []string{"c", "a", "b", "d", "e"} {
			b.connection(name, "t "+name)
		}
		key, names, after := b.key("acme", "viewer"), "", ""
		for range 5 {
			var page client.Page[client.Connection]
			b.read("/api/v1/orgs/acme/connections?limit=2"+after, key, &page)
			for _, c := range page.Items {
				names += c.Name
			}
			if after = "&after=" + page.Next; page.Next == "" {
				break
			}
		}
		if names != "abcde" {
			b.t.Errorf("got %s", names)
		}
	})
}
