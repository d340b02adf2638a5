package entra

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/rosterd/rosterd/connectors"
)

const (
	secretsPage      = "Entra admin center > App registrations > the application > Certificates & secrets" //nolint:gosec // G101: a place in the admin center
	renewCertificate = "Make a new one, upload it without its key under " + secretsPage + " > Certificates, and put it with its key where certificate refers to."
	noManagedHere    = "managed_identity works on Azure alone (virtual machine, App Service, container, Azure Arc): switch the identity on there, under Identity, or sign in in another way."
	notAssigned      = "Assign the identity to this machine in the Azure portal, under its Identity; managed_identity is system, or the client id of a user-assigned one."
)

// aadsts matches the codes of the sign-in service, the one part of its answer that is passed on.
var aadsts = regexp.MustCompile(`AADSTS\d+`)

// explainSignIn maps a refusal of the sign-in service (Entra documentation, "Microsoft Entra authentication and
// authorization error codes"). Its text quotes the request, so only the code is kept.
func explainSignIn(by way, err error) error {
	code, status := aadsts.FindString(err.Error()), 0
	var answer *http.Response
	var failed *azidentity.AuthenticationFailedError
	if errors.As(err, &failed) && failed.RawResponse != nil {
		answer, status = failed.RawResponse, failed.RawResponse.StatusCode
	}
	service := "Entra's sign-in service"
	if by == byManagedIdentity {
		service = "The managed identity endpoint"
	}
	switch {
	case status == http.StatusTooManyRequests:
		return &connectors.Error{Fault: connectors.Throttled, Status: status, Message: service + " throttles requests",
			RetryAfter: connectors.RetryAfter(answer.Header)}
	case status >= 500:
		return &connectors.Error{Fault: connectors.Unreachable, Status: status, Message: fmt.Sprintf("%s is not available (%d)", service, status)}
	case by == byManagedIdentity && code == "":
		return refusedIdentity(failed != nil && answer == nil, status)
	case status == 0 && code == "":
		return &connectors.Error{Fault: connectors.Unreachable, Message: service + " cannot be reached", Fix: checkNetwork}
	}
	if code == "" {
		code = fmt.Sprint(status)
	}
	return &connectors.Error{Fault: connectors.BadCredentials, Status: status,
		Message: fmt.Sprintf("Entra refused the credentials (%s)", code), Fix: signInFix(by, code)}
}

// refusedIdentity explains what is not Entra's answer but the platform's. Of a refusal of the machine's own identity
// azidentity keeps no answer.
func refusedIdentity(silent bool, status int) error {
	e := &connectors.Error{Fault: connectors.BadCredentials, Status: status, Message: "The managed identity is not assigned to this machine", Fix: notAssigned}
	if silent || status == http.StatusNotFound || status == http.StatusGone {
		e.Message, e.Fix = "There is no managed identity endpoint here", noManagedHere
	}
	return e
}

// signInFix says what to do about a code of the sign-in service, and where.
func signInFix(by way, code string) string {
	switch code {
	case "AADSTS7000215":
		return "client_secret is wrong: use the secret's value, not its id (" + secretsPage + ")."
	case "AADSTS7000222":
		return "client_secret has expired: make a new one under " + secretsPage + "."
	case "AADSTS700027":
		return "The certificate is not that of the application, or has expired: upload it without its key under " + secretsPage + " > Certificates."
	case "AADSTS700024":
		if by == byFederation {
			return "The platform's token has expired: see that it is renewed in federated_token_file, and check this machine's clock."
		}
		return "Check this machine's clock: what was signed is not valid now."
	case "AADSTS70021", "AADSTS700211", "AADSTS700212", "AADSTS700213":
		what := map[string]string{
			"AADSTS700211": "issuer", "AADSTS700212": "audience", "AADSTS700213": "subject",
		}[code]
		if what == "" {
			what = "issuer, subject or audience"
		}
		return fmt.Sprintf("No federated credential of the application has the %s of the platform's token: they must agree to the letter, under %s > Federated credentials.", what, secretsPage)
	case "AADSTS700016":
		return "client_id is not an application of this tenant: compare it with App registrations > the application > Overview, and tenant_id with Entra ID > Overview."
	case "AADSTS7000229":
		return "The application is not in this tenant yet: grant it admin consent there."
	case "AADSTS7000112":
		return "The application is switched off: see Entra admin center > Enterprise applications > the application > Properties."
	case "AADSTS90002", "AADSTS900023":
		return "tenant_id is not a tenant of this cloud: compare it with Entra ID > Overview, and see whether cloud is right."
	case "AADSTS90038", "AADSTS900382":
		return "The tenant is in another national cloud: set cloud to it."
	case "AADSTS53003":
		return "A Conditional Access policy for workload identities refuses it: see Entra admin center > Protection > Conditional Access."
	}
	switch by {
	case byCertificate:
		return "Check tenant_id, client_id and certificate with its expiry date."
	case byFederation:
		return "Check tenant_id, client_id and federated_token_file, and the federated credentials under " + secretsPage + "."
	case byManagedIdentity:
		return notAssigned
	}
	return checkCredentials
}
