package entra

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rosterd/rosterd/connectors"
)

// way is how a connection signs in.
type way string

// The ways, by the setting that chooses each.
const (
	bySecret          way = "client_secret"
	byCertificate     way = "certificate"
	byFederation      way = "federated_token_file"
	byManagedIdentity way = "managed_identity"
	byToken           way = "access_token"
)

// SystemAssigned is the value of Config.ManagedIdentity for the identity that the machine has of itself.
const SystemAssigned = "system"

// soon is how long before its end a certificate is warned about.
const soon = 30 * 24 * time.Hour

// ways lists what Config has to sign in with.
func (cfg Config) ways() []way {
	var out []way
	for _, w := range []struct {
		way   way
		value string
	}{
		{bySecret, cfg.ClientSecret},
		{byCertificate, cfg.Certificate},
		{byFederation, cfg.FederatedTokenFile},
		{byManagedIdentity, cfg.ManagedIdentity},
		{byToken, cfg.AccessToken},
	} {
		if w.value != "" {
			out = append(out, w.way)
		}
	}
	return out
}

// checkWays holds the ways to sign in against where the credentials would be sent.
func (cfg Config) checkWays(at origin) error {
	ways := cfg.ways()
	if at.Plain() {
		if cfg.AccessToken == "" {
			return fmt.Errorf("graph_url %s is plain http, where Entra's credentials cannot be used: set access_token", cfg.GraphURL)
		}
		if len(ways) > 1 {
			return fmt.Errorf("%s and access_token are both set: with graph_url %s only access_token is used", ways[0], cfg.GraphURL)
		}
		return nil
	}
	if cfg.AccessToken != "" {
		return fmt.Errorf("access_token is allowed only where graph_url is plain http on a loopback address, not with %s", cfg.GraphURL)
	}
	if cfg.TenantID == "" {
		return fmt.Errorf("tenant_id is missing")
	}
	if cfg.ClientID == "" && cfg.ManagedIdentity == "" {
		return fmt.Errorf("client_id is missing")
	}
	switch len(ways) {
	case 0:
		return fmt.Errorf("%s is missing, or %s, %s or %s in its place", bySecret, byCertificate, byFederation, byManagedIdentity)
	case 1:
		return nil
	}
	return fmt.Errorf("%s and %s are two ways to sign in: keep one of the two", ways[0], ways[1])
}

// credential asks Entra for tokens in one way, and says of a refusal what to do about it.
type credential struct {
	azcore.TokenCredential
	way     way
	file    string    // of the platform's token
	expires time.Time // of the certificate; zero: it has none
}

// newCredential makes the one credential that is configured (Azure SDK documentation, package azidentity). Nothing is
// tried one after the other, as azidentity's DefaultAzureCredential does.
func newCredential(cfg Config, at origin, base http.RoundTripper, log *slog.Logger) (*credential, error) {
	c := &credential{way: cfg.ways()[0], file: cfg.FederatedTokenFile}
	options := azcore.ClientOptions{
		Cloud:     cloudOf(at.Host),
		Transport: tokenClient(base),
		Retry:     policy.RetryOptions{TryTimeout: connectors.AttemptTimeout},
	}
	var err error
	switch c.way {
	case byCertificate:
		c.TokenCredential, c.expires, err = newCertificate(cfg, options, log)
	case byFederation:
		c.TokenCredential, err = azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: options, TenantID: cfg.TenantID, ClientID: cfg.ClientID, TokenFilePath: cfg.FederatedTokenFile,
		})
	case byManagedIdentity:
		c.TokenCredential, err = newManagedIdentity(cfg, options, base)
	default:
		c.TokenCredential, err = azidentity.NewClientSecretCredential(cfg.TenantID, cfg.ClientID, cfg.ClientSecret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.way, err)
	}
	return c, nil
}

// tokenClient sends what asks for a token. The sign-in service redirects nobody, and a credential must not follow.
func tokenClient(base http.RoundTripper) *http.Client {
	return &http.Client{Transport: base, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// newCertificate also returns when the certificate ends. One that has ended is no error here: whoever only wants to take
// pushes goes on.
func newCertificate(cfg Config, options azcore.ClientOptions, log *slog.Logger) (azcore.TokenCredential, time.Time, error) {
	certs, key, err := azidentity.ParseCertificates([]byte(cfg.Certificate), nil)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("want a certificate and its unencrypted RSA key in PEM: %w", err)
	}
	made, err := azidentity.NewClientCertificateCredential(cfg.TenantID, cfg.ClientID, certs, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, SendCertificateChain: cfg.SendCertificateChain})
	if err != nil {
		return nil, time.Time{}, err
	}
	ends := endOf(certs, key)
	switch left := time.Until(ends); {
	case left <= 0:
		log.Warn("the certificate to sign in to Entra with has expired", "expired", ends.UTC().Format(time.DateOnly), "fix", renewCertificate)
	case left < soon:
		log.Warn("the certificate to sign in to Entra with expires soon", "expires", ends.UTC().Format(time.DateOnly), "fix", renewCertificate)
	}
	return made, ends, nil
}

// endOf returns when the certificate that the key is of ends.
func endOf(certs []*x509.Certificate, key crypto.PrivateKey) time.Time {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return time.Time{}
	}
	mine, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return time.Time{}
	}
	for _, cert := range certs {
		if mine.Equal(cert.PublicKey) {
			return cert.NotAfter
		}
	}
	return time.Time{}
}

// newManagedIdentity asks the platform that rosterd runs on. Its endpoint is on the machine, and no proxy reaches it
// (Entra documentation, "Managed identities for Azure resources frequently asked questions"); where there is none, that is
// said within a minute.
func newManagedIdentity(cfg Config, options azcore.ClientOptions, base http.RoundTripper) (azcore.TokenCredential, error) {
	if t, ok := base.(*http.Transport); ok {
		t = t.Clone()
		t.Proxy = nil
		options.Transport = tokenClient(t)
	}
	options.Retry = policy.RetryOptions{MaxRetries: 3, TryTimeout: 10 * time.Second}
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: options}
	if cfg.ManagedIdentity != SystemAssigned {
		o.ID = azidentity.ClientID(cfg.ManagedIdentity)
	}
	return azidentity.NewManagedIdentityCredential(o)
}

// GetToken returns a token, or a connectors.Error.
func (c *credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if !c.expires.IsZero() && time.Now().After(c.expires) {
		return azcore.AccessToken{}, &connectors.Error{
			Fault:   connectors.BadCredentials,
			Message: "The certificate to sign in with expired on " + c.expires.UTC().Format(time.DateOnly), Fix: renewCertificate,
		}
	}
	token, err := c.TokenCredential.GetToken(ctx, o)
	if err == nil {
		return token, nil
	}
	if ctx.Err() != nil {
		return token, ctx.Err()
	}
	if unread := c.unreadToken(); unread != nil {
		return token, unread
	}
	return token, explainSignIn(c.way, err)
}

// unreadToken says that the platform's token can't be read. azidentity would tell that in a text, which is not passed on.
func (c *credential) unreadToken() error {
	if c.file == "" {
		return nil
	}
	e := &connectors.Error{Fault: connectors.BadCredentials, Fix: "Check federated_token_file, and whether the platform writes its token there."}
	file, err := os.Open(c.file)
	if err != nil {
		e.Message = fmt.Sprintf("The token to sign in with cannot be read: %v", err)
		return e
	}
	defer func() { _ = file.Close() }()
	const most = 64 << 10
	text, err := io.ReadAll(io.LimitReader(file, most))
	switch {
	case err != nil:
		e.Message = fmt.Sprintf("The token to sign in with cannot be read: %v", err)
	case strings.TrimSpace(string(text)) == "":
		e.Message = fmt.Sprintf("The token to sign in with is empty: %s", c.file)
	default:
		return nil
	}
	return e
}

// cloudOf returns the sign-in authority that belongs to a Graph host (Graph documentation, "Microsoft Graph national cloud
// deployments").
func cloudOf(host string) cloud.Configuration {
	switch host {
	case "graph.microsoft.us", "dod-graph.microsoft.us":
		return cloud.AzureGovernment
	case vianetHost:
		return cloud.AzureChina
	default:
		return cloud.AzurePublic
	}
}
