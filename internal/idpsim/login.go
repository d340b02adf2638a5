package idpsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// serveLogin answers the parts of login.microsoftonline.com that a daemon needs: OpenID metadata and tokens (page
// "OAuth 2.0 client credentials flow on the Microsoft identity platform").
func (t *Tenant) serveLogin(w http.ResponseWriter, req *http.Request) {
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	switch {
	case rest == "v2.0/.well-known/openid-configuration" && req.Method == http.MethodGet:
		at := origin(req) + "/" + tenant
		writeJSON(w, http.StatusOK, object{
			"issuer": at + "/v2.0", "token_endpoint": at + "/oauth2/v2.0/token",
			"authorization_endpoint": at + "/oauth2/v2.0/authorize", "jwks_uri": at + "/discovery/v2.0/keys",
		})
	case rest == "oauth2/v2.0/token" && req.Method == http.MethodPost:
		t.counts.add("POST token")
		r := &request{method: req.Method, path: "/oauth2/v2.0/token", query: req.URL.Query(), header: req.Header, base: origin(req),
			gone: req.Context().Done(), outer: true}
		struck := t.faults.strikes(r)
		for _, f := range struck {
			f.pause(r.gone)
		}
		if rep := t.struckDown(r, struck); rep != nil {
			t.send(w, req, *rep, struck)
			return
		}
		t.token(w, req, tenant, struck)
	default:
		t.counts.add("unknown")
		t.send(w, req, fail(http.StatusNotFound, "ResourceNotFound", "Invalid version: "+tenant), nil)
	}
}

func (t *Tenant) token(w http.ResponseWriter, req *http.Request, tenant string, struck []Fault) {
	body, err := readBody(req)
	if err == nil {
		req.Body = http.NoBody
		req.Form, err = parseForm(string(body))
	}
	if err != nil {
		t.refuse(w, http.StatusBadRequest, "invalid_request", 900144, "The request body could not be read.")
		return
	}
	switch form := req.Form; {
	case tenant != t.cfg.TenantID && tenant != t.cfg.Domain:
		t.refuse(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found.")
	case form.Get("grant_type") != "client_credentials":
		t.refuse(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
	case form.Get("client_id") != t.cfg.ClientID:
		t.refuse(w, http.StatusBadRequest, "unauthorized_client", 700016,
			"Application with identifier '"+form.Get("client_id")+"' was not found in the directory '"+t.cfg.TenantID+"'.")
	case form.Get("client_secret") != t.cfg.ClientSecret:
		t.refuse(w, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
	case !strings.HasSuffix(form.Get("scope"), "/.default"):
		t.refuse(w, http.StatusBadRequest, "invalid_scope", 1002012, "The provided value for scope is not valid.")
	default:
		body, err := encode(object{
			"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": t.cfg.AccessToken,
		})
		if err != nil { // it holds numbers and texts only
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		deliver(w, http.StatusOK, body, struck, req.Context().Done())
	}
}

func (t *Tenant) refuse(w http.ResponseWriter, status int, code string, number int, message string) {
	now := t.cfg.Now().UTC()
	writeJSON(w, status, object{
		"error": code, "error_codes": []int{number}, "timestamp": now.Format("2006-01-02 15:04:05Z"),
		"error_description": aadsts(number, message), "trace_id": t.nextRequestID(), "correlation_id": t.nextRequestID(),
	})
}

func writeJSON(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody is left to tell
}

func aadsts(number int, message string) string { return fmt.Sprintf("AADSTS%d: %s", number, message) }

func parseForm(body string) (url.Values, error) {
	form, err := url.ParseQuery(body)
	if err != nil {
		return nil, fmt.Errorf("parse form: %w", err)
	}
	return form, nil
}
