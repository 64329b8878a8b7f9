#include <set>
#include <thread>

#include "tests/ra/labca/lab.h"

namespace labca_test {

TEST_SUITE("ra/labca") {
    TEST_CASE("several workers: each enrolment ends, each serial is given once") {
        constexpr std::size_t kThreads = 4;
        constexpr std::size_t kEach = 12;
        Lab lab;
        std::vector<Client> clients;
        for (std::size_t i = 0; i < kThreads; ++i) clients.push_back(lab.client());
        std::atomic<std::size_t> confirmed{0};
        std::vector<std::thread> threads;
        for (Client& client : clients) {
            threads.emplace_back([&] {
                const auto key = new_key();
                for (std::size_t i = 0; i < kEach; ++i) {
                    const Heard heard = client.begin(request(BodyType::ir, *key));
                    const Heard end = client.next(confirm(heard.certificate()));
                    if (end.type() == BodyType::pkiconf) ++confirmed;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(confirmed == kThreads * kEach);
        CHECK(lab.ca.open_transactions() == 0);
        std::set<Bytes> serials;
        for (const auto& entry : lab.ca.ledger().entries()) serials.insert(entry.serial);
        CHECK(serials.size() == kThreads * kEach + kThreads);
    }

    TEST_CASE("S-02: two workers with one transactionID: one certificate") {
        for (int round = 0; round < 20; ++round) {
            Lab lab;
            Client client = lab.client();
            client.transaction_id = Client::random().octets(16);
            const Bytes octets = client.build(request(BodyType::ir, *new_key()));
            std::atomic<int> accepted{0}, in_use{0};
            const auto once = [&] {
                const Heard heard{client.deliver(octets)};
                if (heard.status().status == PKIStatus::accepted) ++accepted;
                if (heard.refused_for(PKIFailureInfo::transactionIdInUse)) ++in_use;
            };
            std::thread a{once}, b{once};
            a.join();
            b.join();
            CHECK(accepted == 1);
            CHECK(in_use == 1);
            CHECK(lab.ca.ledger().size() == 2);
        }
    }
}

}  // namespace labca_test
