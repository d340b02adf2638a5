package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
)

func (b *bench) read(path, key string, out any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	b.ok(err)
	r.Header.Set("Authorization", "bearer "+key)
	response, err := http.DefaultTransport.RoundTrip(r)
	b.ok(err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	b.ok(err)
	if response.StatusCode != http.StatusOK {
		b.t.Fatalf("%s: %d %s", path, response.StatusCode, text)
	}
	b.ok(json.Unmarshal(text, out))
}

func TestKeys(t *testing.T) {
	each(t, func(b *bench) {
		ctx := b.t.Context()
		made, err := b.local.CreateAPIKey(ctx, "acme", client.NewAPIKey{Name: "ci", Role: "admin", Expires: "1h"})
		b.ok(err)
		if !strings.HasPrefix(made.Key, roster.APIKeyPrefix) || made.Role != "admin" || made.ExpiresAt == nil || made.CreatedAt.IsZero() {
			b.t.Errorf("got %+v", made)
		}
		over := b.remote(made.Key)
		listed := list(b, over.APIKeys(ctx, "acme", client.ListOptions{}))
		if len(listed) != 1 || listed[0].ID != made.ID || listed[0].Key != "" {
			b.t.Errorf("got %+v", listed)
		}
		_, err = over.CreateAPIKey(ctx, "acme", client.NewAPIKey{Name: "ci", Role: "viewer", Expires: "1h"})
		b.refused(err, http.StatusConflict, "conflict", "exists already")
		_, err = over.CreateAPIKey(ctx, "acme", client.NewAPIKey{Name: "boss", Role: "owner", Expires: "1h"})
		b.refused(err, http.StatusForbidden, "forbidden", "only an owner")
		_, err = over.InviteMember(ctx, "acme", client.NewMember{Email: "boss@example.com", Role: "owner"})
		b.refused(err, http.StatusForbidden, "forbidden", "only an owner")
		_, err = over.CreateAPIKey(ctx, "acme", client.NewAPIKey{Name: "x", Role: "member", Expires: "1h"})
		b.refused(err, http.StatusBadRequest, "invalid", "role")

		_, unknown, _ := roster.MintAPIKey()
		id, wrong, _ := roster.MintAPIKey()
		_, _, other := roster.MintAPIKey()
		b.commit(roster.Cause{}, roster.APIKeyCreate{Key: roster.APIKey{ID: id, Name: "other", Role: roster.RoleOwner, Hash: other}})
		_, scim, _ := roster.MintToken()
		for key, part := range map[string]string{
			"": "is needed", "rak_": "not valid", unknown: "not valid", wrong: "not valid", scim: "SCIM token", made.Key + "x": "not valid",
			strings.Repeat("x", 5000): "not valid",
		} {
			response, p := b.do(http.MethodGet, "/api/v1/version", key, "")
			if p.Status != http.StatusUnauthorized || p.Code != "unauthorized" || !strings.Contains(p.Detail, part) {
				b.t.Errorf("%.20q: %+v", key, p)
			}
			if response.Header.Get("WWW-Authenticate") == "" {
				b.t.Errorf("%.20q: no WWW-Authenticate", key)
			}
		}
		b.now = b.now.Add(2 * time.Hour)
		_, err = over.Version(ctx)
		b.refused(err, http.StatusUnauthorized, "unauthorized", "expired")
		b.now = b.now.Add(-2 * time.Hour)
		if v, err := over.Version(ctx); err != nil || v.Version != "v1.2.3" {
			b.t.Errorf("got %+v, %v", v, err)
		}
		b.ok(b.local.DeleteAPIKey(ctx, "acme", "ci"))
		_, err = over.Version(ctx)
		b.refused(err, http.StatusUnauthorized, "unauthorized", "not valid")
		b.refused(b.local.DeleteAPIKey(ctx, "acme", "ci"), http.StatusNotFound, "not_found", `no API key "ci"`)
	})
}

// operation is one of the OpenAPI document's, with its place holders filled in.
type operation struct {
	method, path string
	body         string // one that passes validation; empty: it takes none
}

// operations reads the OpenAPI document.
func (b *bench) operations(fill map[string]string) []operation {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/api/v1/openapi.json", nil)
	b.ok(err)
	response, err := http.DefaultTransport.RoundTrip(r)
	b.ok(err)
	defer func() { _ = response.Body.Close() }()
	var doc struct {
		OpenAPI    string `json:"openapi"`
		Paths      map[string]map[string]struct{ OperationID string }
		Components struct{ Schemas map[string]any }
	}
	b.ok(json.NewDecoder(response.Body).Decode(&doc))
	if doc.OpenAPI != "3.1.0" || doc.Components.Schemas["Problem"] == nil || doc.Components.Schemas["ErrorModel"] != nil {
		b.t.Errorf("an OpenAPI document of version %q with the schemas %v", doc.OpenAPI, doc.Components.Schemas)
	}
	bodies := map[string]string{
		"create-organisation": `{"name":"x"}`, "set-scim": `{"enabled":true}`, "create-token": `{"name":"x","expires":"1d"}`,
		"create-api-key": `{"name":"x","role":"viewer","expires":"1d"}`, "invite-member": `{"email":"x@example.com"}`,
		"adopt-members": `{"key":"x","connection":"entra"}`, "link-member": `{"key":"x","connection":"entra"}`,
		"unlink-member": `{"key":"x","connection":"entra"}`, "unlink-team": `{"key":"x","connection":"entra"}`,
		"exclude-member": `{"key":"x","for":"1d","reason":"r"}`, "exclude-team": `{"key":"x","for":"1d","reason":"r"}`,
		"include-member": `{"key":"x"}`, "include-team": `{"key":"x"}`, "pause-connection": `{"reason":"r"}`,
		"rename-connection": `{"old":"a","new":"b"}`, "diff": `{}`, "resync": `{}`, "approve-run": `{}`,
		"provision": `{"user":"x"}`, "preview-connection": `{"user":"x"}`, "limit-token": `{"from":[],"rate":50}`, "check-token": `{"token":"rst_x"}`,
	}
	var out []operation
	for path, methods := range doc.Paths {
		for name, value := range fill {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		for method, op := range methods {
			out = append(out, operation{strings.ToUpper(method), "/api/v1" + path, bodies[op.OperationID]})
		}
	}
	if len(out) != 59 {
		b.t.Errorf("%d operations", len(out))
	}
	return out
}

func TestEveryRouteNeedsAKeyARoleAndTheRightOrganisation(t *testing.T) {
	each(t, func(b *bench) {
		conn := b.connection("entra", "t1")
		run := b.finished(conn, roster.ModeFull, roster.RunDone)
		member := b.push(conn, "ada", "ada@example.com")
		mine := map[string]string{"org": "acme", "id": run.ID, "token": "x", "key": member.ID, "name": "entra"}
		viewer, stranger := b.key("acme", "viewer"), b.key("beta", "owner")
		for _, op := range b.operations(mine) {
			if _, p := b.do(op.method, op.path, "", op.body); p.Status != http.StatusUnauthorized {
				b.t.Errorf("%s %s without a key: %+v", op.method, op.path, p)
			}
			if _, p := b.do(op.method, op.path, viewer, op.body); op.method != http.MethodGet && (p.Status != http.StatusForbidden || !strings.Contains(p.Detail, "only read")) {
				b.t.Errorf("%s %s by a viewer: %+v", op.method, op.path, p)
			}
			response, p := b.do(op.method, op.path, stranger, op.body)
			switch strings.TrimPrefix(op.path, "/api/v1") {
			case "/version", "/status", "/runs", "/alerts", "/alerts/test":
				if response.StatusCode != http.StatusOK {
					b.t.Errorf("%s: %+v", op.path, p)
				}
			case "/orgs":
				if p.Status != http.StatusForbidden {
					b.t.Errorf("%s: %+v", op.path, p)
				}
			default:
				if p.Status != http.StatusNotFound {
					b.t.Errorf("%s %s by another organisation's owner: %d %+v", op.method, op.path, response.StatusCode, p)
				}
			}
		}
		b.ownOnly(b.remote(stranger), b.remote(viewer))
	})
}

// ownOnly checks the routes without an organisation in their path: each key sees its own.
func (b *bench) ownOnly(stranger, viewer *client.Client) {
	b.t.Helper()
	ctx := b.t.Context()
	if runs := list(b, stranger.Runs(ctx, client.ListOptions{})); len(runs) != 0 {
		b.t.Errorf("got %+v", runs)
	}
	err := listError(stranger.Runs(ctx, client.ListOptions{Organisation: "acme"}))
	b.refused(err, http.StatusNotFound, "not_found", "no organisation")
	if s, err := stranger.Status(ctx); err != nil || len(s.Connections) != 0 {
		b.t.Errorf("got %+v, %v", s, err)
	}
	for _, o := range []client.ListOptions{{}, {Organisation: "acme"}} {
		if runs := list(b, viewer.Runs(ctx, o)); len(runs) != 1 {
			b.t.Errorf("%+v: got %+v", o, runs)
		}
	}
}
