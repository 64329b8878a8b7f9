import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.FileWriter;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.KeyPair;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.DERNull;
import org.bouncycastle.asn1.cmp.CMPCertificate;
import org.bouncycastle.asn1.cmp.CMPObjectIdentifiers;
import org.bouncycastle.asn1.cmp.CertOrEncCert;
import org.bouncycastle.asn1.cmp.CertRepMessage;
import org.bouncycastle.asn1.cmp.CertResponse;
import org.bouncycastle.asn1.cmp.CertifiedKeyPair;
import org.bouncycastle.asn1.cmp.InfoTypeAndValue;
import org.bouncycastle.asn1.cmp.PKIBody;
import org.bouncycastle.asn1.cmp.PKIConfirmContent;
import org.bouncycastle.asn1.cmp.PKIHeader;
import org.bouncycastle.asn1.cmp.PKIMessage;
import org.bouncycastle.asn1.cmp.PKIMessages;
import org.bouncycastle.asn1.cmp.PKIStatus;
import org.bouncycastle.asn1.cmp.PKIStatusInfo;
import org.bouncycastle.asn1.crmf.CertTemplate;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.cmp.ProtectedPKIMessageBuilder;
import org.bouncycastle.cert.crmf.CertificateReqMessages;
import org.bouncycastle.cert.crmf.CertificateRequestMessage;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;

/** Issues to whoever is certified by its trust or knows its secret, on an HTTP port of 127.0.0.1. */
final class Ca {
    private static final ASN1ObjectIdentifier CMC_CA = new ASN1ObjectIdentifier("1.3.6.1.5.5.7.3.27");

    private final String tag;
    private final Map<String, String> options;
    private final KeyPair rootKey;
    private final X509CertificateHolder root;
    private final KeyPair responderKey;
    private final X509CertificateHolder responder;
    private final Map<String, Protection> peers = new ConcurrentHashMap<>();  // by transactionID
    private final Map<String, byte[]> nonces = new ConcurrentHashMap<>();     // of its last answer, likewise

    Ca(String tag, Map<String, String> options) throws Exception {
        this.tag = tag;
        this.options = options;
        rootKey = Keys.create(options.get("key"));
        X500Name name = new X500Name("CN=Bouncy Castle CA");
        root = issue(name, SubjectPublicKeyInfo.getInstance(rootKey.getPublic().getEncoded()), name, true, null);
        responderKey = Keys.create(options.get("responder-key"));
        responder = issue(name, SubjectPublicKeyInfo.getInstance(responderKey.getPublic().getEncoded()),
                new X500Name("CN=Bouncy Castle CMP"), false, KeyPurposeId.getInstance(CMC_CA));
        try (JcaPEMWriter writer = new JcaPEMWriter(new FileWriter(options.get("root-out")))) {
            writer.writeObject(root);
        }
    }

    void run() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 16);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", this::serve);
        server.start();
        Peer.say(tag, "listening " + server.getAddress().getPort());
    }

    private X509CertificateHolder issue(X500Name issuer, SubjectPublicKeyInfo key, X500Name subject, boolean ca,
            KeyPurposeId purpose) throws Exception {
        Date now = new Date();
        X509v3CertificateBuilder builder = new X509v3CertificateBuilder(issuer, new BigInteger(1, Keys.random(8)).setBit(62),
                new Date(now.getTime() - 60_000), new Date(now.getTime() + 30L * 86_400_000), subject, key);
        builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(ca));
        builder.addExtension(Extension.keyUsage, true,
                new KeyUsage(ca ? KeyUsage.keyCertSign | KeyUsage.cRLSign : KeyUsage.digitalSignature));
        builder.addExtension(Extension.subjectKeyIdentifier, false, new JcaX509ExtensionUtils().createSubjectKeyIdentifier(key));
        if (purpose != null) builder.addExtension(Extension.extendedKeyUsage, false, new ExtendedKeyUsage(purpose));
        return builder.build(Keys.signer(rootKey.getPrivate()));
    }

    private void serve(HttpExchange exchange) throws IOException {
        byte[] request = exchange.getRequestBody().readAllBytes();
        byte[] answer;
        try {
            answer = answer(PKIMessage.getInstance(request)).getEncoded("DER");
        } catch (Exception fault) {
            Peer.say(tag, "fault " + fault);
            exchange.sendResponseHeaders(500, -1);
            return;
        }
        exchange.getResponseHeaders().set("Content-Type", "application/pkixcmp");
        exchange.sendResponseHeaders(200, answer.length);
        exchange.getResponseBody().write(answer);
        exchange.close();
    }

    private PKIMessage answer(PKIMessage message) throws Exception {
        PKIMessage inner = message;
        PKIHeader header = message.getHeader();
        if (message.getBody().getType() == PKIBody.TYPE_NESTED) {
            Peer.require(options.containsKey("ra-trusted"), "nested messages are not taken");
            signature(options.get("ra-trusted")).verify(message);
            PKIMessage[] all = PKIMessages.getInstance(message.getBody().getContent()).toPKIMessageArray();
            Peer.require(all.length == 1, "not one message in nested");
            inner = all[0];
            Peer.require(header.getTransactionID().equals(inner.getHeader().getTransactionID()), "transactionID of nested");
            Peer.require(header.getSenderNonce().equals(inner.getHeader().getSenderNonce()), "senderNonce of nested");
        }
        String id = inner.getHeader().getTransactionID().toString();
        Protection peer = peer(inner, id);
        peer.verify(inner);
        byte[] last = nonces.get(id);
        Peer.require(last == null || Arrays.equals(octets(inner.getHeader().getRecipNonce()), last), "another recipNonce");
        PKIBody body = inner.getBody();
        Peer.say(tag, "took transaction=" + id.substring(1) + " protection=" + peer.name() + " sender=" + header.getSender().getName()
                + (inner == message ? "" : " nested=" + inner.getHeader().getSender().getName()));
        switch (body.getType()) {
            case PKIBody.TYPE_INIT_REQ:
            case PKIBody.TYPE_CERT_REQ:
            case PKIBody.TYPE_KEY_UPDATE_REQ: {
                CertificateRequestMessage request = CertificateReqMessages.fromPKIBody(body).getRequests()[0];
                CertTemplate template = request.getCertTemplate();
                if (request.getProofOfPossessionType() == CertificateRequestMessage.popSigningKey) {
                    Peer.require(request.isValidSigningKeyPOP(new JcaContentVerifierProviderBuilder().setProvider(Keys.BC)
                            .build(template.getPublicKey())), "bad POP");
                } else {
                    Peer.require(request.getProofOfPossessionType() == CertificateRequestMessage.popRaVerified
                            && options.containsKey("ra-trusted"), "no POP");
                    // Who says it checked the possession must be somebody whose word counts.
                    signature(options.get("ra-trusted")).verify(inner);
                }
                return granted(inner, body.getType() + 1, request.getCertReqId(), template.getSubject(), template.getPublicKey());
            }
            case PKIBody.TYPE_P10_CERT_REQ: {
                PKCS10CertificationRequest request = new PKCS10CertificationRequest(body.getContent().toASN1Primitive().getEncoded());
                Peer.require(request.isSignatureValid(new JcaContentVerifierProviderBuilder().setProvider(Keys.BC)
                        .build(request.getSubjectPublicKeyInfo())), "bad POP");
                return granted(inner, PKIBody.TYPE_CERT_REP, new ASN1Integer(-1), request.getSubject(), request.getSubjectPublicKeyInfo());
            }
            case PKIBody.TYPE_CERT_CONFIRM:
                return reply(inner, new PKIBody(PKIBody.TYPE_CONFIRM, new PKIConfirmContent()), false);
            default:
                throw new IllegalStateException("body type " + body.getType());
        }
    }

    private Protection signature(String trusted) throws Exception {
        return new Protection.Signature(List.of(responder), responderKey.getPrivate(), Keys.certificates(trusted));
    }

    /** How the sender of this transaction's messages protects them; answers go out likewise. */
    private Protection peer(PKIMessage message, String id) throws Exception {
        Protection known = peers.get(id);
        if (known != null) return known;
        if (Protection.isMac(message)) {
            Peer.require(options.containsKey("secret"), "MACs are not taken");
            Map<String, String> mac = new HashMap<>(options);
            ASN1ObjectIdentifier algorithm = message.getHeader().getProtectionAlg().getAlgorithm();
            mac.put("protect", algorithm.equals(PKCSObjectIdentifiers.id_PBMAC1) ? "pbmac1" : "pbm");
            known = new Protection.Mac(mac);
        } else {
            known = signature(options.get("trusted"));
        }
        peers.put(id, known);
        return known;
    }

    private PKIMessage granted(PKIMessage to, int type, ASN1Integer requestId, X500Name subject, SubjectPublicKeyInfo key) throws Exception {
        X509CertificateHolder issued = issue(root.getSubject(), key, subject, false, null);
        CertResponse response = new CertResponse(requestId, new PKIStatusInfo(PKIStatus.granted),
                new CertifiedKeyPair(new CertOrEncCert(new CMPCertificate(issued.toASN1Structure()))), null);
        boolean implicit = false;
        if (to.getHeader().getGeneralInfo() != null) {
            for (InfoTypeAndValue one : to.getHeader().getGeneralInfo())
                implicit |= one.getInfoType().equals(CMPObjectIdentifiers.it_implicitConfirm);
        }
        return reply(to, new PKIBody(type, new CertRepMessage(null, new CertResponse[] {response})), implicit);
    }

    private PKIMessage reply(PKIMessage to, PKIBody body, boolean implicit) throws Exception {
        PKIHeader header = to.getHeader();
        byte[] nonce = Keys.random(16);
        String id = header.getTransactionID().toString();
        ProtectedPKIMessageBuilder builder = new ProtectedPKIMessageBuilder(header.getPvno().intValueExact(),
                new GeneralName(responder.getSubject()), header.getSender())
                .setMessageTime(new Date()).setTransactionID(octets(header.getTransactionID()))
                .setSenderNonce(nonce).setRecipNonce(octets(header.getSenderNonce())).setBody(body);
        if (implicit) builder.addGeneralInfo(new InfoTypeAndValue(CMPObjectIdentifiers.it_implicitConfirm, DERNull.INSTANCE));
        nonces.put(id, nonce);
        return peers.get(id).build(builder);
    }

    private static byte[] octets(ASN1OctetString value) {
        return value == null ? null : value.getOctets();
    }
}
