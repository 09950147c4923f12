package cert

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// revocations are the certificate revocation lists of an ssl_crl file. As in nginx, every certificate of a chain must be covered by
// a list of its issuer, those of authorities included.
type revocations struct {
	lists []*revocationList
}

type revocationList struct {
	list    *x509.RevocationList
	revoked map[string]bool // by the bytes of the serial number
}

func parseRevocations(text []byte) (*revocations, error) {
	r := &revocations{}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue // certificates may be in the same file
		}
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("revocation list %d: %w", len(r.lists)+1, err)
		}
		l := &revocationList{list: list, revoked: make(map[string]bool, len(list.RevokedCertificateEntries))}
		for _, e := range list.RevokedCertificateEntries {
			if e.ReasonCode != 8 { // removeFromCRL, of delta lists
				l.revoked[string(e.SerialNumber.Bytes())] = true
			}
		}
		r.lists = append(r.lists, l)
	}
	if len(r.lists) == 0 {
		return nil, errors.New(noCertInFile)
	}
	return r, nil
}

// check returns the last fault it finds going down a verified chain, leaf first in the slice, or 0.
func (r *revocations) check(chain []*x509.Certificate, now time.Time) int {
	code := 0
	for i := range chain {
		issuer := chain[min(i+1, len(chain)-1)]
		if c := r.checkOne(chain[i], issuer, now); c != 0 {
			code = c
		}
	}
	return code
}

// checkOne looks one certificate up in the newest list of its issuer.
func (r *revocations) checkOne(c, issuer *x509.Certificate, now time.Time) int {
	var newest *revocationList
	for _, l := range r.lists {
		if bytes.Equal(l.list.RawIssuer, c.RawIssuer) && (newest == nil || l.list.ThisUpdate.After(newest.list.ThisUpdate)) {
			newest = l
		}
	}
	switch {
	case newest == nil:
		return codeNoCRL
	case newest.list.CheckSignatureFrom(issuer) != nil:
		return codeCRLSignature
	case newest.revoked[string(c.SerialNumber.Bytes())]:
		return codeRevoked
	case now.Before(newest.list.ThisUpdate):
		return codeCRLNotYetValid
	case !newest.list.NextUpdate.IsZero() && now.After(newest.list.NextUpdate):
		return codeCRLExpired
	}
	return 0
}
