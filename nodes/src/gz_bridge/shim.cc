// What of Gazebo's transport `transport.rs` needs, with C's calling convention: topics as raw
// bytes of a named type. No exception leaves it.

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#ifdef SACCADE_GZ
#include <gz/transport/Node.hh>
namespace transport = gz::transport;
#else
#include <ignition/transport/Node.hh>
namespace transport = ignition::transport;
#endif

namespace {

using Heard = void (*)(void *context, std::size_t subscription, const char *data, std::size_t size);

// Outlives the link where a message is being handed over while it is taken down.
struct Ear {
  std::mutex mutex;
  Heard heard;
  // Null once the link is gone.
  void *context;
};

struct Link {
  std::shared_ptr<Ear> ear;
  std::vector<transport::Node::Publisher> publishers;
  std::vector<std::string> types;
  // The first to go, and with it the subscriptions.
  transport::Node node;
};

}  // namespace

extern "C" {

Link *saccade_gz_open(Heard heard, void *context) {
  try {
    auto link = std::make_unique<Link>();
    link->ear = std::make_shared<Ear>();
    link->ear->heard = heard;
    link->ear->context = context;
    return link.release();
  } catch (...) {
    return nullptr;
  }
}

void saccade_gz_close(Link *link) {
  {
    std::lock_guard<std::mutex> lock(link->ear->mutex);
    link->ear->context = nullptr;
  }
  try {
    delete link;
  } catch (...) {
  }
}

bool saccade_gz_subscribe(Link *link, const char *topic, const char *type, std::size_t subscription) {
  try {
    auto hear = [ear = link->ear, subscription](const char *data, const std::size_t size,
                                                const transport::MessageInfo &) {
      std::lock_guard<std::mutex> lock(ear->mutex);
      if (ear->context) {
        ear->heard(ear->context, subscription, data, size);
      }
    };
    return link->node.SubscribeRaw(topic, hear, type);
  } catch (...) {
    return false;
  }
}

// The publisher's number, or -1.
long saccade_gz_advertise(Link *link, const char *topic, const char *type) {
  try {
    auto publisher = link->node.Advertise(topic, type);
    if (!publisher) {
      return -1;
    }
    link->publishers.push_back(std::move(publisher));
    link->types.emplace_back(type);
    return static_cast<long>(link->publishers.size()) - 1;
  } catch (...) {
    return -1;
  }
}

bool saccade_gz_publish(Link *link, std::size_t publisher, const char *data, std::size_t size) {
  try {
    auto &to = link->publishers.at(publisher);
    return to.PublishRaw(std::string(data, size), link->types[publisher]);
  } catch (...) {
    return false;
  }
}

}  // extern "C"
