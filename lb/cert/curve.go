package cert

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// ParseCurves reads the value of ssl_ecdh_curve, names joined by colons. "auto" and the empty string leave the choice to
// crypto/tls, which prefers X25519MLKEM768.
func ParseCurves(value string) ([]tls.CurveID, error) {
	if value == "" || value == "auto" {
		return nil, nil
	}
	var list []tls.CurveID
	for name := range strings.SplitSeq(value, ":") {
		id, ok := curveID(name)
		if !ok {
			return nil, failed(fmt.Sprintf("SSL_CTX_set1_curves_list(%q)", value),
				fmt.Sprintf("SSL routines::passed invalid argument:group '%s' cannot be set", name))
		}
		list = append(list, id)
	}
	return list, nil
}

func curveID(name string) (tls.CurveID, bool) {
	switch strings.ToLower(name) {
	case "x25519":
		return tls.X25519, true
	case "prime256v1", "secp256r1", "p-256":
		return tls.CurveP256, true
	case "secp384r1", "p-384":
		return tls.CurveP384, true
	case "secp521r1", "p-521":
		return tls.CurveP521, true
	case "x25519mlkem768":
		return tls.X25519MLKEM768, true
	case "secp256r1mlkem768":
		return tls.SecP256r1MLKEM768, true
	case "secp384r1mlkem1024":
		return tls.SecP384r1MLKEM1024, true
	}
	return 0, false
}

// CurveName returns OpenSSL's name of a key exchange group, as $ssl_curve shows it.
func CurveName(id tls.CurveID) string {
	switch id {
	case 0:
		return ""
	case tls.CurveP256:
		return "prime256v1"
	case tls.CurveP384:
		return "secp384r1"
	case tls.CurveP521:
		return "secp521r1"
	case tls.X25519:
		return "X25519"
	case tls.X25519MLKEM768:
		return "X25519MLKEM768"
	case tls.SecP256r1MLKEM768:
		return "SecP256r1MLKEM768"
	case tls.SecP384r1MLKEM1024:
		return "SecP384r1MLKEM1024"
	}
	return otherCurveName(uint16(id))
}

// otherCurveName names groups that only clients know.
func otherCurveName(id uint16) string {
	switch id {
	case 21:
		return "secp224r1"
	case 22:
		return "secp256k1"
	case 26:
		return "brainpoolP256r1"
	case 27:
		return "brainpoolP384r1"
	case 28:
		return "brainpoolP512r1"
	case 30:
		return "X448"
	case 256:
		return "ffdhe2048"
	case 257:
		return "ffdhe3072"
	case 258:
		return "ffdhe4096"
	case 259:
		return "ffdhe6144"
	case 260:
		return "ffdhe8192"
	}
	return hexName(id)
}
