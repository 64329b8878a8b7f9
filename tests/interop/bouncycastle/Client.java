import java.math.BigInteger;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyPair;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.cmp.CMPObjectIdentifiers;
import org.bouncycastle.asn1.cmp.CertConfirmContent;
import org.bouncycastle.asn1.cmp.CertRepMessage;
import org.bouncycastle.asn1.cmp.CertResponse;
import org.bouncycastle.asn1.cmp.CertStatus;
import org.bouncycastle.asn1.cmp.ErrorMsgContent;
import org.bouncycastle.asn1.cmp.InfoTypeAndValue;
import org.bouncycastle.asn1.cmp.PKIBody;
import org.bouncycastle.asn1.cmp.PKIFailureInfo;
import org.bouncycastle.asn1.cmp.PKIHeader;
import org.bouncycastle.asn1.cmp.PKIMessage;
import org.bouncycastle.asn1.cmp.PKIMessages;
import org.bouncycastle.asn1.cmp.PKIStatusInfo;
import org.bouncycastle.asn1.crmf.CertReqMessages;
import org.bouncycastle.asn1.x500.RDN;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.cmp.ProtectedPKIMessageBuilder;
import org.bouncycastle.cert.crmf.jcajce.JcaCertificateRequestMessageBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/** One transaction of a device. Whatever comes back is verified before it is believed. */
final class Client {
    private static final GeneralName NOBODY = new GeneralName(new X500Name(new RDN[0]));

    private final Map<String, String> options;
    private final byte[] transactionId = Keys.random(16);
    private final GeneralName sender;
    private final Protection protection;
    private byte[] nonce;

    Client(Map<String, String> options) throws Exception {
        this.options = options;
        if (options.get("protect").equals("signature")) {
            List<X509CertificateHolder> own = Keys.certificates(options.get("cert"));
            protection = new Protection.Signature(own, Keys.read(options.get("private")), Keys.certificates(options.get("trusted")));
            sender = new GeneralName(own.get(0).getSubject());
        } else {
            protection = new Protection.Mac(options);
            sender = new GeneralName(new X500Name("CN=" + options.get("reference")));
        }
    }

    /** What came of it, and the transaction by which the gateway's log knows it. */
    String run() throws Exception {
        return enrol() + " transaction=" + HexFormat.of().formatHex(transactionId);
    }

    private String enrol() throws Exception {
        KeyPair pair = Keys.create(options.get("key"));
        PKIBody request = request(pair);
        PKIMessage message = message(request, null);
        PKIMessage answer = exchange(options.containsKey("nested") ? nest(message) : message);
        PKIBody body = answer.getBody();
        if (body.getType() == PKIBody.TYPE_ERROR) {
            return refused(ErrorMsgContent.getInstance(body.getContent()).getPKIStatusInfo());
        }
        // The answer to p10cr is cp; the other answers follow their requests.
        int wanted = request.getType() == PKIBody.TYPE_P10_CERT_REQ ? PKIBody.TYPE_CERT_REP : request.getType() + 1;
        Peer.require(body.getType() == wanted, "body type " + body.getType());
        CertResponse response = CertRepMessage.getInstance(body.getContent()).getResponse()[0];
        if (response.getStatus().getStatus().intValue() > 1) return refused(response.getStatus());
        X509CertificateHolder issued = new X509CertificateHolder(
                response.getCertifiedKeyPair().getCertOrEncCert().getCertificate().getX509v3PKCert());
        Peer.require(Arrays.equals(issued.getSubjectPublicKeyInfo().getEncoded("DER"),
                SubjectPublicKeyInfo.getInstance(pair.getPublic().getEncoded()).getEncoded("DER")), "another key");
        boolean implicit = false;
        if (answer.getHeader().getGeneralInfo() != null) {
            for (InfoTypeAndValue one : answer.getHeader().getGeneralInfo())
                implicit |= one.getInfoType().equals(CMPObjectIdentifiers.it_implicitConfirm);
        }
        if (!implicit) confirm(issued, response, answer);
        return "enrolled subject=" + issued.getSubject() + " issuer=" + issued.getIssuer()
                + " confirm=" + (implicit ? "implicit" : "explicit");
    }

    private PKIBody request(KeyPair pair) throws Exception {
        X500Name subject = new X500Name(options.get("subject"));
        if (options.get("command").equals("p10cr")) {
            return new PKIBody(PKIBody.TYPE_P10_CERT_REQ, new JcaPKCS10CertificationRequestBuilder(subject, pair.getPublic())
                    .build(Keys.signer(pair.getPrivate())).toASN1Structure());
        }
        int type = switch (options.get("command")) {
            case "ir" -> PKIBody.TYPE_INIT_REQ;
            case "cr" -> PKIBody.TYPE_CERT_REQ;
            case "kur" -> PKIBody.TYPE_KEY_UPDATE_REQ;
            default -> throw new IllegalArgumentException(options.get("command"));
        };
        return new PKIBody(type, new CertReqMessages(new JcaCertificateRequestMessageBuilder(BigInteger.ZERO)
                .setPublicKey(pair.getPublic()).setSubject(subject)
                .setProofOfPossessionSigningKeySigner(Keys.signer(pair.getPrivate())).build().toASN1Structure()));
    }

    private ProtectedPKIMessageBuilder header(GeneralName from, PKIBody body) {
        return new ProtectedPKIMessageBuilder(from, NOBODY).setMessageTime(new Date()).setTransactionID(transactionId)
                .setSenderNonce(nonce).setBody(body);
    }

    private PKIMessage message(PKIBody body, byte[] recipNonce) throws Exception {
        nonce = Keys.random(16);
        ProtectedPKIMessageBuilder builder = header(sender, body);
        if (recipNonce != null) {
            builder.setRecipNonce(recipNonce);
        } else if (options.get("confirm").equals("implicit")) {
            builder.addGeneralInfo(new InfoTypeAndValue(CMPObjectIdentifiers.it_implicitConfirm, DERNull.INSTANCE));
        }
        return protection.build(builder);
    }

    /** The request inside a nested message that says: this RA approves (RFC 9483 5.2.2.1). */
    private PKIMessage nest(PKIMessage inner) throws Exception {
        List<X509CertificateHolder> ra = Keys.certificates(options.get("ra-cert"));
        PKIBody body = new PKIBody(PKIBody.TYPE_NESTED, new PKIMessages(inner));
        return new Protection.Signature(ra, Keys.read(options.get("ra-private")), List.of())
                .build(header(new GeneralName(ra.get(0).getSubject()), body));
    }

    /** The answer, verified. */
    private PKIMessage exchange(PKIMessage message) throws Exception {
        HttpResponse<byte[]> response = HttpClient.newHttpClient().send(
                HttpRequest.newBuilder(URI.create(options.get("url"))).timeout(Duration.ofSeconds(30))
                        .header("Content-Type", "application/pkixcmp")
                        .POST(HttpRequest.BodyPublishers.ofByteArray(message.getEncoded("DER"))).build(),
                HttpResponse.BodyHandlers.ofByteArray());
        Peer.require(response.statusCode() == 200, "HTTP status " + response.statusCode());
        PKIMessage answer = PKIMessage.getInstance(response.body());
        PKIHeader header = answer.getHeader();
        Peer.require(Arrays.equals(octets(header.getTransactionID()), transactionId), "another transactionID");
        Peer.require(Arrays.equals(octets(header.getRecipNonce()), nonce), "another recipNonce");
        if (answer.getProtection() == null) {
            String what = answer.getBody().getType() == PKIBody.TYPE_ERROR
                    ? ": " + refused(ErrorMsgContent.getInstance(answer.getBody().getContent()).getPKIStatusInfo()) : "";
            throw new IllegalStateException("unprotected answer" + what);
        }
        // Who does not know the secret cannot answer under it: its refusal is signed.
        boolean signed = answer.getBody().getType() == PKIBody.TYPE_ERROR && options.containsKey("trusted")
                && !Protection.isMac(answer);
        (signed ? new Protection.Signature(List.of(), null, Keys.certificates(options.get("trusted"))) : protection).verify(answer);
        return answer;
    }

    private void confirm(X509CertificateHolder issued, CertResponse response, PKIMessage answer) throws Exception {
        // The digest of the certificate's signature (RFC 9481 2.1); EdDSA has one each (RFC 9481 3.3).
        String algorithm = switch (issued.getSignatureAlgorithm().getAlgorithm().getId()) {
            case "1.3.101.112" -> "SHA-512";
            case "1.3.101.113" -> "SHAKE256-512";
            default -> "SHA-256";
        };
        byte[] hash = MessageDigest.getInstance(algorithm, Keys.BC).digest(issued.getEncoded());
        CertStatus status = new CertStatus(hash, response.getCertReqId().getValue());
        PKIMessage confirmed = exchange(message(new PKIBody(PKIBody.TYPE_CERT_CONFIRM,
                CertConfirmContent.getInstance(new DERSequence(status))), octets(answer.getHeader().getSenderNonce())));
        Peer.require(confirmed.getBody().getType() == PKIBody.TYPE_CONFIRM, "body type " + confirmed.getBody().getType() + " to certConf");
    }

    private static String refused(PKIStatusInfo status) {
        StringBuilder names = new StringBuilder();
        if (status.getFailInfo() != null) {
            int bits = new PKIFailureInfo(status.getFailInfo()).intValue();
            if ((bits & PKIFailureInfo.badAlg) != 0) names.append(" badAlg");
            if ((bits & PKIFailureInfo.badMessageCheck) != 0) names.append(" badMessageCheck");
            if ((bits & PKIFailureInfo.badRequest) != 0) names.append(" badRequest");
            if ((bits & PKIFailureInfo.badPOP) != 0) names.append(" badPOP");
            if ((bits & PKIFailureInfo.badCertTemplate) != 0) names.append(" badCertTemplate");
            if ((bits & PKIFailureInfo.notAuthorized) != 0) names.append(" notAuthorized");
            if ((bits & PKIFailureInfo.wrongIntegrity) != 0) names.append(" wrongIntegrity");
            if ((bits & PKIFailureInfo.wrongAuthority) != 0) names.append(" wrongAuthority");
            if (names.length() == 0) names.append(" ").append(status.getFailInfo().getString());
        }
        return "refused" + names + " text=" + (status.getStatusString() == null ? "" : status.getStatusString().getStringAtUTF8(0).getString());
    }

    private static byte[] octets(ASN1OctetString value) {
        return value == null ? null : value.getOctets();
    }
}
