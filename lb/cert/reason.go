package cert

import "fmt"

// The numbers OpenSSL gives to what can be wrong with a certificate.
const (
	codeUnspecified        = 1
	codeNoCRL              = 3
	codeCRLSignature       = 8
	codeNotYetValid        = 9
	codeExpired            = 10
	codeCRLNotYetValid     = 11
	codeCRLExpired         = 12
	codeSelfSignedLeaf     = 18
	codeSelfSignedInChain  = 19
	codeNoLocalIssuer      = 20
	codeLeafNotVerified    = 21
	codeRevoked            = 23
	codePathLength         = 25
	codeBadPurpose         = 26
	codeInvalidCA          = 79
	codePermittedViolation = 47
)

// reasonText returns OpenSSL 3's words for a number.
func reasonText(code int) string {
	switch code {
	case 0:
		return "ok"
	case codeUnspecified:
		return "unspecified certificate verification error"
	case codeNoCRL:
		return "unable to get certificate CRL"
	case codeCRLSignature:
		return "CRL signature failure"
	case codeNotYetValid:
		return "certificate is not yet valid"
	case codeExpired:
		return "certificate has expired"
	case codeCRLNotYetValid:
		return "CRL is not yet valid"
	case codeCRLExpired:
		return "CRL has expired"
	case codeSelfSignedLeaf:
		return "self-signed certificate"
	case codeSelfSignedInChain:
		return "self-signed certificate in certificate chain"
	case codeNoLocalIssuer:
		return "unable to get local issuer certificate"
	case codeLeafNotVerified:
		return "unable to verify the first certificate"
	case codeRevoked:
		return "certificate revoked"
	case codePathLength:
		return "path length constraint exceeded"
	case codeBadPurpose:
		return "unsuitable certificate purpose"
	case codeInvalidCA:
		return "invalid CA certificate"
	case codePermittedViolation:
		return "permitted subtree violation"
	}
	return fmt.Sprintf("error number %d", code)
}

// untrustedOnly says whether the only fault is that the chain ends at an unknown authority, which optional_no_ca lets pass.
func untrustedOnly(code int) bool {
	switch code {
	case codeSelfSignedLeaf, codeSelfSignedInChain, codeNoLocalIssuer, codeLeafNotVerified:
		return true
	}
	return false
}
