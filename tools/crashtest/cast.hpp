#pragma once
// The clients of a crash test: writers, two durable readers (one of them mostly away), a keeper of retained topics, newcomers
// and one that dies with its will armed. All on one io_context; they notice crashes by themselves and wait to be told to return.

#include "tools/client/client.hpp"
#include "tools/crashtest/ledger.hpp"
#include "tools/crashtest/victim.hpp"

#include <boost/asio/io_context.hpp>

namespace airmail::crashtest {

/// One client with its own handlers; resumes what was in flight when its session is still there [MQTT-4.4.0-1].
/// Owned by: cast.
class actor {
public:
    actor(boost::asio::io_context& io, std::string id);
    virtual ~actor();
    actor(actor const&) = delete;
    actor& operator=(actor const&) = delete;

    void connect(client::connect_options o);
    void leave() { mqtt_->disconnect(); }
    bool gone() const { return mqtt_->idle(); }
    bool ready() const { return ready_; }            // CONNACK of success came
    bool present() const { return present_; }        // session present, of the last CONNACK
    std::string const& id() const { return id_; }
    client::client& mqtt() { return *mqtt_; }

protected:
    virtual void on_ready() {}
    virtual void on_message(codec::publish_view const&) {}
    virtual void on_ack(client::ack_event const&) {}

private:
    std::string id_;
    std::shared_ptr<client::client> mqtt_;
    bool ready_ = false, present_ = false;
};

/// Publishes its numbers to `crash/<writer>/<qos>/<0..2>`, QoS 1 and 2 in turn.
class writer final : public actor {
public:
    writer(boost::asio::io_context& io, unsigned number, int window, writer_book& book);
    void finish() { finishing_ = true; }
    bool settled() const { return under_way_.empty(); }

private:
    void on_ready() override;
    void on_ack(client::ack_event const& a) override;
    void next();
    unsigned number_;
    int window_;
    writer_book& book_;
    std::map<std::uint16_t, int> under_way_;   // packet id -> number
    bool finishing_ = false;
};

/// Subscribed to `crash/#` once; its book counts everything.
class reader final : public actor {
public:
    reader(boost::asio::io_context& io, std::string id, verdict& v) : actor(io, id), book(std::move(id)), verdict_(v) {}
    bool subscribed() const { return subscribed_; }
    reader_book book;

private:
    void on_ready() override;
    void on_message(codec::publish_view const& p) override;
    void on_ack(client::ack_event const& a) override { subscribed_ |= a.type == codec::packet_type::suback && !codec::failed(a.codes.front()); }
    verdict& verdict_;
    bool subscribed_ = false;
};

/// Sets and clears `kept/<0..7>`, one change at a time.
class keeper final : public actor {
public:
    keeper(boost::asio::io_context& io) : actor(io, "crash-keeper") {}
    void finish() { finishing_ = true; }
    bool settled() const { return topic_ < 0; }
    std::map<std::string, retained_book> topics;

private:
    void on_ready() override;
    void on_ack(client::ack_event const& a) override;
    void next();
    int number_ = 0, topic_ = -1;    // the one under way
    bool finishing_ = false;
};

/// A durable session made in the middle of the load, with one subscription of its own; or one whose will is armed.
class newcomer final : public actor {
public:
    using actor::actor;
    std::string filter;              // empty: subscribes to nothing
    bool subscribed = false;

private:
    void on_ready() override;
    void on_ack(client::ack_event const& a) override { subscribed |= a.type == codec::packet_type::suback && !codec::failed(a.codes.front()); }
};

}
