package entra

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	azureauth "github.com/microsoft/kiota-authentication-azure-go"
	khttp "github.com/microsoft/kiota-http-go"
	jsonserialization "github.com/microsoft/kiota-serialization-json-go"
	textserialization "github.com/microsoft/kiota-serialization-text-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"

	"github.com/rosterd/rosterd/connectors"
)

// newAdapter joins the SDK's request adapter to our transport. Serializers have registries of their own: the SDK's
// root client would fill kiota's global ones.
func newAdapter(cfg Config, at origin, base http.RoundTripper, log *slog.Logger) (abs.RequestAdapter, error) {
	tokens, err := newTokens(cfg, at, base, log)
	if err != nil {
		return nil, err
	}
	parse := serialization.NewParseNodeFactoryRegistry()
	parse.ContentTypeAssociatedFactories["application/json"] = jsonserialization.NewJsonParseNodeFactory()
	parse.ContentTypeAssociatedFactories["text/plain"] = textserialization.NewTextParseNodeFactory()
	write := serialization.NewSerializationWriterFactoryRegistry()
	write.ContentTypeAssociatedFactories["application/json"] = jsonserialization.NewJsonSerializationWriterFactory()

	options := core.GraphClientOptions{}
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		authentication.NewBaseBearerTokenAuthenticationProvider(tokens), options, parse, write, newClient(cfg, at, base, log))
	if err != nil {
		return nil, fmt.Errorf("graph adapter: %w", err)
	}
	adapter.SetBaseUrl(at.base)
	return adapter, nil
}

// newClient builds the chain that every Graph request goes through. kiota's own retry, redirect and compression
// handlers are left out.
func newClient(cfg Config, at origin, base http.RoundTripper, log *slog.Logger) *http.Client {
	retry := &connectors.Retry{
		Next: base, Log: log, IdP: "Graph", Bucket: bucket, Reserve: reserve,
		Wait: func(res *http.Response) time.Duration { return connectors.RetryAfter(res.Header) },
		// Graph counts by application and tenant (Graph documentation, "Microsoft Graph service-specific throttling limits").
		Tenant: cfg.Limits.Tenant(strings.ToLower(strings.Join([]string{at.base, cfg.TenantID, cfg.ClientID}, " ")), "Graph"),
	}
	chain := &gate{origin: at, next: odataErrors{retry}}
	return &http.Client{
		Transport: khttp.NewCustomTransportWithParentTransport(chain,
			core.NewGraphTelemetryHandler(&core.GraphClientOptions{}),
			khttp.NewParametersNameDecodingHandler(),
		),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return &connectors.Error{
				Fault:   connectors.Broken,
				Message: "Graph answered with a redirect, which Graph does not do",
				Fix:     "Check graph_url, and whether a proxy stands in between.",
			}
		},
	}
}

// newTokens returns where bearer tokens come from. Valid hosts are compared without port: with one, the SDK would
// leave the token out and say nothing.
func newTokens(cfg Config, at origin, base http.RoundTripper, log *slog.Logger) (authentication.AccessTokenProvider, error) {
	hosts, err := authentication.NewAllowedHostsValidatorErrorCheck([]string{at.Host})
	if err != nil {
		return nil, fmt.Errorf("graph_url %s: %w", cfg.GraphURL, err)
	}
	if cfg.AccessToken != "" {
		return &fixedToken{token: cfg.AccessToken, hosts: hosts}, nil
	}
	credential, err := newCredential(cfg, at, base, log)
	if err != nil {
		return nil, err
	}
	provider, err := azureauth.NewAzureIdentityAccessTokenProviderWithScopesAndValidHosts(
		credential, []string{at.scope()}, []string{at.Host})
	if err != nil {
		return nil, fmt.Errorf("entra credentials: %w", err)
	}
	return provider, nil
}

// fixedToken hands out the configured access token. kiota's own provider refuses plain http on loopback addresses
// other than 127.0.0.1 and ::1.
type fixedToken struct {
	token string
	hosts *authentication.AllowedHostsValidator
}

// GetAuthorizationToken returns the token for a request to the Graph host, and none for any other.
func (t *fixedToken) GetAuthorizationToken(_ context.Context, u *url.URL, _ map[string]any) (string, error) {
	if !t.hosts.IsUrlHostValid(u) {
		return "", nil
	}
	return t.token, nil
}

// GetAllowedHostsValidator returns the hosts that the token is for.
func (t *fixedToken) GetAllowedHostsValidator() *authentication.AllowedHostsValidator { return t.hosts }
