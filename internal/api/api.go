// Package api is the management API below /api/v1: what the command line, the console's live parts and applications speak
// to. Its wire types, and a client for it, are in the package client; the OpenAPI document is made from them.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/rosterd/rosterd/internal/api/client"
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/internal/web"
)

// Prefix is where the API is mounted.
const Prefix = "/api/v1"

const (
	documentPath = Prefix + "/openapi.json"
	scimPath     = "/service/v1/scim/v2"
)

// Runner does what needs the identity provider or the worker that carries out runs.
type Runner interface {
	// Test asks the IdP whether a connection's settings work, and says in words what it saw. An error says why they
	// don't; its text is shown to the operator.
	Test(ctx context.Context, org, connectionID string) (message string, err error)
	// Wake tells the worker that a run was queued, approved or cancelled.
	Wake()
	// One resyncs one person, or only compares, within the request. The runs that it returns are finished; an IdP that
	// can't be read makes one that failed.
	One(ctx context.Context, ask roster.AskOne) ([]roster.Run, error)
}

// Config is what the API is built from.
type Config struct {
	Roster    *roster.Roster
	Store     *store.DB
	Runs      Runner
	Log       *slog.Logger
	Version   string
	PublicURL string           // where IdPs reach this daemon; the SCIM base URL begins with it
	Now       func() time.Time // time.Now where it is nil
	Alerts    Alerter          // nil: alerts are only listed
	Heartbeat time.Duration    // how often a stream of events with no news says that it lives; 0: 15 s
}

// API serves the management API.
type API struct {
	roster    *roster.Roster
	store     *store.DB
	runs      Runner
	log       *slog.Logger
	build     string
	publicURL string
	now       func() time.Time
	alerts    Alerter
	heartbeat time.Duration
	streams   *streams

	mux      *http.ServeMux
	huma     huma.API
	document []byte
}

// New builds the API with all its routes.
func New(c Config) *API {
	a := &API{
		roster: c.Roster, store: c.Store, runs: c.Runs, log: c.Log, build: c.Version, publicURL: c.PublicURL, now: c.Now, alerts: c.Alerts,
		heartbeat: c.Heartbeat, streams: newStreams(), mux: http.NewServeMux(),
	}
	if a.heartbeat == 0 {
		a.heartbeat = streamHeartbeat
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.huma = humago.NewWithPrefix(a.mux, Prefix, humaConfig())
	a.huma.UseMiddleware(badRequests)
	a.routes()
	a.document = document(a.huma.OpenAPI())
	return a
}

// Mount adds the API to a mux.
func (a *API) Mount(mux *http.ServeMux) {
	mux.Handle(Prefix+"/", web.RequestID(web.Recover(a.log, panicked, a)))
}

func humaConfig() huma.Config {
	format := huma.Format{Marshal: encode, Unmarshal: json.Unmarshal}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "rosterd management API", Version: "1",
				Description: "Organisations, members, teams, connections and runs. Over TCP it takes an API key, which sees its own " +
					"organisation; over the daemon's unix socket none is needed.",
			},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{"apiKey": {Type: "http", Scheme: "bearer"}},
			},
			Security: []map[string][]string{{"apiKey": {}}},
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{asProblem},
	}
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	return nil
}

// document renders the OpenAPI document once. huma's own shape of an error is in no answer.
func document(o *huma.OpenAPI) []byte {
	schemas := o.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
	text, err := json.Marshal(o)
	if err != nil { // it is made of our own types
		panic(fmt.Sprintf("render the OpenAPI document: %v", err))
	}
	return text
}

// wake tells the worker, where there is one.
func (a *API) wake() {
	if a.runs != nil {
		a.runs.Wake()
	}
}

// commit applies changes as what the caller asked for: all of them, or none.
func (a *API) commit(ctx context.Context, c caller, org string, changes ...roster.Change) ([]roster.Outcome, error) {
	cause := c.cause()
	cause.Atomic = true
	return a.roster.Commit(ctx, org, cause, changes)
}

// version answers GET /version.
func (a *API) version(context.Context, caller, *struct{}) (client.Version, error) {
	return client.Version{Version: a.build}, nil
}
